"""Entry of a worker that is measured: calls the program whenever the judge says "go".

Everything here runs in the candidate's own process and is at its mercy. Nothing is trusted to
it: no clock, no reference, no result but the bytes in the outputs.
"""

from __future__ import annotations

import ctypes
import gc
import json
import mmap
import os
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

# A random tag, the first slot and how many calls; none asks whether the program is loaded. The
# reply is the message itself, which nobody knows before it is sent.
MESSAGE = struct.Struct("<8sII")
HEAD = struct.Struct("<Q")  # bytes of the plan, which the program follows
# Read by the libraries when they are loaded: as many threads as were granted, which sleep when
# they have nothing to do. A thread that spins would be charged as hidden work.
_COUNTS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_PASSIVE = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    "OPENBLAS_THREAD_TIMEOUT": "4",  # 2**4 cycles
}


def _whole(fd: int) -> bytes:
    """All bytes of a file in memory, wherever its descriptor stands."""
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _views(
    plan: dict[str, Any], memory: mmap.mmap | None, region: dict[str, Any]
) -> list[dict[str, Any]]:
    """For each slot the arrays that lie in `region`, by name."""
    import numpy as np

    found: list[dict[str, Any]] = []
    for slot in range(plan["slots"]):
        arrays = {}
        for name, offset in region["offsets"].items():
            dtype, shape = plan["buffers"][name]
            count = 1
            for extent in shape:
                count *= extent
            start = slot * region["stride"] + offset
            assert memory is not None
            arrays[name] = np.frombuffer(memory, dtype, count, start).reshape(shape)
        found.append(arrays)
    return found


def _python(source: bytes, entry: str) -> Callable[..., Any]:
    name = "candidate"
    scope: dict[str, Any] = {"__name__": name}
    exec(compile(source, f"<{name}>", "exec"), scope)  # noqa: S102 - this is the candidate
    run: Callable[..., Any] = scope[entry]
    return run


def _native(fd: int, path: str, entry: str) -> Callable[..., Any]:
    """The function `entry` of the shared object in `fd`; with no object, of the C library."""
    library = ctypes.CDLL((path or f"/proc/self/fd/{fd}") if fd >= 0 else None)
    return library[entry]


def _pointer(array: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _number(value: float) -> Any:
    return ctypes.c_int64(value) if isinstance(value, int) else ctypes.c_double(value)


def _calls(plan: dict[str, Any], fds: tuple[int, ...], source: bytes) -> list[Callable[[], Any]]:
    """Load the program and bind it to the buffers of each slot."""
    _, inputs, outputs, _, *native = fds
    regions = plan["inputs"], plan["outputs"]
    # The inputs cannot be mapped for writing: the judge sealed them.
    readable = mmap.mmap(inputs, regions[0]["size"], prot=mmap.PROT_READ)
    writable = mmap.mmap(outputs, regions[1]["size"])
    slots = [
        {**given, **asked}
        for given, asked in zip(
            _views(plan, readable, regions[0]), _views(plan, writable, regions[1]), strict=True
        )
    ]
    arguments = [[arrays[name] for name in plan["buffers"]] for arrays in slots]
    parameters = plan["parameters"]
    if plan["language"] == "python":
        run = _python(source, plan["entry"])
        return [partial(run, *arrays, **parameters) for arrays in arguments]
    run = _native(native[0] if native else -1, plan["path"], plan["entry"])
    numbers = [_number(parameters[name]) for name in sorted(parameters)]
    return [partial(run, *map(_pointer, arrays), *numbers) for arrays in arguments]


def main(fds: tuple[int, ...]) -> None:
    """Serve the judge until it hangs up.

    `fds`: the channel, the inputs, the outputs, the plan followed by the program's text, and for
    native code the shared object.
    """
    channel = fds[0]
    text = _whole(fds[3])
    (length,) = HEAD.unpack_from(text)
    plan = json.loads(text[HEAD.size : HEAD.size + length])
    os.environ.update(_PASSIVE, **dict.fromkeys(_COUNTS, str(plan["threads"])))
    calls = _calls(plan, fds, text[HEAD.size + length :])
    del text
    gc.collect()
    gc.freeze()
    read, write, unpack, size = os.read, os.write, MESSAGE.unpack, MESSAGE.size
    while message := read(channel, size):
        _, first, count = unpack(message)
        for call in calls[first : first + count]:
            call()
        write(channel, message)

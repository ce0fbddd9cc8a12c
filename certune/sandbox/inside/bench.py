"""Entry of a worker that is measured: calls the program whenever the judge says "go".

Everything here runs in the candidate's own process and is at its mercy. Nothing is trusted to
it: no clock, no reference, no result but the bytes in the outputs.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

from certune.sandbox.inside import code, status

Call = Callable[[], Any]

# A random tag, the first slot and how many calls; none asks whether the program is loaded. The
# reply is the message itself, which nobody knows before it is sent.
MESSAGE = struct.Struct("<8sII")
HEAD = struct.Struct("<Q")  # bytes of the plan, which the program follows
_PROT_READ, _PROT_WRITE, _MAP_SHARED = 1, 2, 1


def _whole(fd: int) -> bytes:
    """All bytes of a file in memory, wherever its descriptor stands."""
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _map(fd: int, region: dict[str, Any], writable: bool) -> int:
    """Map a shared memory for good; its address.

    The inputs cannot be mapped for writing: the judge sealed them.

    Raises:
        OSError: the kernel refused.
    """
    call = ctypes.CDLL(None, use_errno=True).mmap
    call.restype = ctypes.c_void_p
    word, size = ctypes.c_int, ctypes.c_size_t
    call.argtypes = (ctypes.c_void_p, size, word, word, word, ctypes.c_long)
    access = _PROT_READ | _PROT_WRITE if writable else _PROT_READ
    address = call(None, region["size"], access, _MAP_SHARED, fd, 0)
    if address is None or address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "a shared memory could not be mapped")
    return int(address)


def _places(plan: dict[str, Any], inputs: int, outputs: int) -> list[list[int]]:
    """For each slot the addresses of its buffers, in the order of the arguments."""
    bases = {"inputs": inputs, "outputs": outputs}
    slots = []
    for slot in range(plan["slots"]):
        found = {}
        for kind, base in bases.items():
            for name, offset in plan[kind]["offsets"].items():
                found[name] = base + slot * plan[kind]["stride"] + offset
        slots.append([found[name] for name in plan["buffers"]])
    return slots


def _python(plan: dict[str, Any], source: bytes, slots: list[list[int]]) -> list[Call]:
    import numpy as np

    def view(address: int, name: str) -> Any:
        dtype, shape = plan["buffers"][name]
        kind = np.dtype(dtype)
        size = kind.itemsize
        for extent in shape:
            size *= extent
        memory = (ctypes.c_char * size).from_address(address)
        array = np.frombuffer(memory, kind).reshape(shape)
        array.flags.writeable = name in plan["outputs"]["offsets"]
        return array

    names = list(plan["buffers"])
    arguments = [[*map(view, places, names)] for places in slots]
    scope: dict[str, Any] = {"__name__": "candidate"}
    status.loaded()
    exec(compile(source, "<candidate>", "exec"), scope)  # noqa: S102 - this is the candidate
    run = scope[plan["entry"]]
    return [partial(run, *arrays, **plan["parameters"]) for arrays in arguments]


def _native(plan: dict[str, Any], path: str | None, slots: list[list[int]]) -> list[Call]:
    """Calls of a shared object, or without one of the C library."""
    given = plan["parameters"]
    numbers = [
        ctypes.c_int64(given[name])
        if isinstance(given[name], int)
        else ctypes.c_double(given[name])
        for name in sorted(given)
    ]
    status.loaded()
    run = ctypes.CDLL(path)[plan["entry"]]
    return [partial(run, *map(ctypes.c_void_p, places), *numbers) for places in slots]


def main(fds: tuple[int, ...]) -> None:
    """Serve the judge until it hangs up.

    `fds`: the channel, the inputs, the outputs, the plan followed by the program's text, and for
    native code the shared object.
    """
    channel, inputs, outputs, told, *native = fds
    text = _whole(told)
    (length,) = HEAD.unpack_from(text)
    plan = json.loads(text[HEAD.size : HEAD.size + length])
    slots = _places(plan, _map(inputs, plan["inputs"], False), _map(outputs, plan["outputs"], True))
    if plan["language"] == "python":
        calls = _python(plan, text[HEAD.size + length :], slots)
    else:
        calls = _native(plan, code.path(native[0]) if native else None, slots)
    gc.collect()
    gc.freeze()
    read, write, unpack, size = os.read, os.write, MESSAGE.unpack, MESSAGE.size
    while message := read(channel, size):
        _, first, count = unpack(message)
        for call in calls[first : first + count]:
            call()
        write(channel, message)

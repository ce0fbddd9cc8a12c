"""Entry of a worker that is measured on a device: calls a PyTorch program at every "go".

As in `bench`, everything here runs in the candidate's own process and is at its mercy; that it
waits for the device before it replies is a courtesy to honest programs.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from certune.sandbox.inside import status
from certune.sandbox.inside.bench import HEAD, MESSAGE, _map, _whole
from certune.sandbox.inside.cuda import Driver


class _Device:
    """What `torch.as_tensor` takes for an array that is on a device already."""

    def __init__(self, address: int, dtype: str, shape: list[int]) -> None:
        import numpy as np

        self.__cuda_array_interface__ = {
            "shape": tuple(shape),
            "typestr": np.dtype(dtype).str,
            "data": (address, False),  # whether it may be written to, the mapping decides
            "version": 3,
        }


def _host(address: int, dtype: str, shape: list[int], torch: Any) -> Any:
    import numpy as np

    kind = np.dtype(dtype)
    size = kind.itemsize
    for extent in shape:
        size *= extent
    memory: Any = (ctypes.c_char * size).from_address(address)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arrays that cannot be written to, as inputs are
        return torch.from_numpy(np.frombuffer(memory, kind).reshape(shape))


def _addresses(plan: dict[str, Any], inputs: int, outputs: int) -> tuple[int, int]:
    """Map both memories; their addresses in this process or on the device."""
    if plan["device"] == "cpu":
        size = {"size": plan["inputs"]}
        return _map(inputs, size, False), _map(outputs, {"size": plan["outputs"]}, True)
    driver = Driver(plan["ordinal"])
    return (
        driver.mapped(driver.imported(inputs), plan["inputs"], False),
        driver.mapped(driver.imported(outputs), plan["outputs"], True),
    )


def _tensor(plan: dict[str, Any], told: list[Any], bases: tuple[int, int], torch: Any) -> Any:
    _, dtype, shape, written, offset = told
    address = bases[bool(written)] + offset
    if plan["device"] == "cpu":
        return _host(address, dtype, shape, torch)
    return torch.as_tensor(_Device(address, dtype, shape), device=f"cuda:{plan['ordinal']}")


def main(fds: tuple[int, ...]) -> None:
    """Serve the judge until it hangs up.

    `fds`: the channel, the inputs, the outputs, the plan followed by the program's text.
    """
    import torch

    channel, inputs, outputs, told = fds
    text = _whole(told)
    (length,) = HEAD.unpack_from(text)
    plan = json.loads(text[HEAD.size : HEAD.size + length])
    bases = _addresses(plan, inputs, outputs)
    arguments = [[_tensor(plan, one, bases, torch) for one in size] for size in plan["sizes"]]
    scope: dict[str, Any] = {"__name__": "candidate"}
    status.loaded()
    exec(  # noqa: S102 - this is the candidate
        compile(text[HEAD.size + length :], "<candidate>", "exec"), scope
    )
    run = scope[plan["entry"]]
    calls: list[Callable[[], Any]] = [partial(run, *a, **plan["parameters"]) for a in arguments]
    wait: Callable[[], Any] = torch.cuda.synchronize if plan["device"] == "cuda" else _nothing
    gc.collect()
    gc.freeze()
    while message := os.read(channel, MESSAGE.size):
        _, first, count = MESSAGE.unpack(message)
        for call in calls[first : first + count]:
            call()
        wait()
        os.write(channel, message)


def _nothing() -> None:
    return None

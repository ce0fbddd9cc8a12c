"""The judge's private side of the shared memories: what is put there, what is found there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from certune.sandbox.measuring.buffers import PAGE, Array, Layout, Region
from certune.sandbox.measuring.memory import Shared
from certune.sandbox.measuring.problem import Problem

# Fewer bytes might be right by chance when they have not been written.
_TELLING = 8


def generator(secret: bytes, *names: bytes) -> np.random.Generator:
    """The random numbers named `names`; nobody who lacks `secret` can tell any from others."""
    mark = hashlib.blake2b(key=secret[:64], digest_size=32)
    for name in names:
        mark.update(len(name).to_bytes(8, "little") + name)
    return np.random.Generator(np.random.PCG64(int.from_bytes(mark.digest(), "little")))


@dataclass(frozen=True)
class Found:
    """What is wrong, in words, and in which slot."""

    slot: int
    detail: str


def _views(region: Region, memory: Array, writable: bool) -> list[dict[str, Array]]:
    slots = [region.views(memory, slot) for slot in range(region.slots)]
    for arrays in slots:
        for array in arrays.values():
            array.flags.writeable = writable
    return slots


class Stage:
    """Private memory of the shape of a worker's, and the problem that fills and checks it."""

    def __init__(self, problem: Problem, layout: Layout, secret: bytes) -> None:
        self._problem = problem
        self._layout = layout
        self._inputs = np.zeros(layout.inputs.size, dtype=np.uint8)
        self._outputs = np.zeros(layout.outputs.size, dtype=np.uint8)
        self._taken = np.zeros(layout.outputs.size, dtype=np.uint8)
        noise = generator(secret, b"poison").bytes(layout.outputs.size + PAGE)
        self._noise = np.frombuffer(noise, dtype=np.uint8)
        self._guards = layout.outputs.guards()
        self._slots = [
            {**given, **asked}
            for given, asked in zip(
                _views(layout.inputs, self._inputs, True),
                _views(layout.outputs, self._outputs, True),
                strict=True,
            )
        ]
        given = [buffer.name for buffer in layout.buffers if buffer.role != "out"]
        self._given = [{name: arrays[name] for name in given} for arrays in self._slots]
        self._results = _views(layout.outputs, self._taken, False)

    def poison(self, rng: np.random.Generator) -> None:
        """Fill all outputs and guards with noise that is not the last time's."""
        start = int(rng.integers(PAGE))
        np.copyto(self._outputs, self._noise[start : start + self._outputs.size])

    def fill(self, rng: np.random.Generator, first: int, count: int) -> None:
        """Have the problem make the inputs of `count` slots; the others hold nothing.

        What another worker had there may be what this one is still to get.
        """
        if count < self._layout.slots:
            self._inputs.fill(0)
        for inputs in self._given[first : first + count]:
            self._problem.fill(rng, inputs)

    def expose(self, inputs: Shared, outputs: Shared) -> None:
        """Copy everything to the memories of a worker; the inputs last."""
        np.copyto(outputs.bytes, self._outputs)
        np.copyto(inputs.bytes, self._inputs)

    def take(self, outputs: Shared) -> None:
        """Copy what a worker left in its outputs; nothing later changes what is checked."""
        np.copyto(self._taken, outputs.bytes)

    def examine(self, first: int, count: int) -> Found | None:
        """Check what was taken, every byte of it: guards, and the outputs of `count` slots."""
        asked = range(first, first + count)
        for slot in range(self._layout.slots):
            if (found := self._untouched(slot, slot in asked)) is not None:
                return found
        for slot in asked:
            if (found := self._written(slot)) is not None:
                return found
        return None

    def _slot(self, memory: Array, slot: int) -> Array:
        stride = self._layout.outputs.stride
        return memory[slot * stride : (slot + 1) * stride]

    def _untouched(self, slot: int, asked: bool) -> Found | None:
        """What must be as it was put: the guards of every slot, all of a slot not asked for."""
        put, taken = self._slot(self._outputs, slot), self._slot(self._taken, slot)
        if asked:
            put, taken = put[self._guards], taken[self._guards]
        if np.array_equal(put, taken):
            return None
        place = int(np.argmax(put != taken))
        offset = int(self._guards[place]) if asked else place
        what = "outside of its outputs" if asked else "to a slot that was not asked for"
        return Found(slot, f"wrote {what}: {self._layout.outputs.near(offset)}")

    def _written(self, slot: int) -> Found | None:
        results = self._results[slot]
        for buffer in self._layout.outputs.buffers:
            bits = _bits(results[buffer.name])
            if (
                buffer.role == "out"
                and buffer.size >= _TELLING
                and np.array_equal(bits, _bits(self._slots[slot][buffer.name]))
            ):
                return Found(slot, f"{buffer.name} was never written")
            # Other booleans than 0 and 1 compare in ways that a check does not expect.
            if results[buffer.name].dtype == np.bool_ and bits.max() > 1:
                return Found(slot, f"{buffer.name} holds a byte that is neither true nor false")
        with np.errstate(all="ignore"):  # any bits may come, and checks compute with them
            wrong = self._problem.check(
                MappingProxyType(self._given[slot]), MappingProxyType(results)
            )
        return Found(slot, wrong) if wrong else None


def _bits(array: Array) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return array.reshape(-1).view(np.uint8)

"""What a program is called with, and where each buffer lies in the shared memories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from certune.core.errors import InvalidInput

Role: TypeAlias = Literal["in", "out", "inout"]
Bytes: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8]]"
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

ALIGNMENT = 64  # bytes: a cache line, and what the widest vector instructions ask for
GUARD = 64  # bytes at least between two buffers, and before the first and after the last
PAGE = 4096
# Kinds without padding bytes, in the machine's own order: booleans and numbers.
_KINDS = "biufc"
_LARGEST = 2**32


@dataclass(frozen=True)
class Buffer:
    """An array of a problem: `dtype` is a numpy name ("float32"), `shape` in elements.

    "in" is written by the judge alone, "out" by the program alone; "inout" starts with what the
    judge wrote and is to be overwritten.

    Raises:
        InvalidInput: a type that is no number or boolean, an empty shape, more than 4 GiB.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    role: Role

    def __post_init__(self) -> None:
        """Refuse what no shared memory can hold."""
        place = f"buffer {self.name[:60]!r}"
        if not self.name.isidentifier():
            raise InvalidInput("a buffer needs a name", place=place, remedy="use an identifier")
        try:
            kind = np.dtype(self.dtype)
        except TypeError:
            raise InvalidInput(
                f"{self.dtype[:60]!r} is no type of numpy", place=place, remedy="e.g. float32"
            ) from None
        if kind.kind not in _KINDS or not kind.isnative or kind.char in "gG":
            raise InvalidInput(
                f"elements of type {kind} cannot be shared",
                place=place,
                remedy="use booleans or numbers of at most 16 bytes in this machine's order",
            )
        if not all(extent > 0 for extent in self.shape):
            raise InvalidInput("an extent below 1", place=place, remedy="leave empty buffers out")
        if self.size > _LARGEST:
            raise InvalidInput(f"{self.size} bytes", place=place, remedy="at most 4 GiB a buffer")

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Region:
    """One shared memory: `slots` times the same buffers, apart by guards.

    `offsets` are bytes from the start of a slot; slot `k` starts at `k * stride`. Every byte
    that belongs to no buffer belongs to a guard.
    """

    buffers: tuple[Buffer, ...]
    offsets: tuple[int, ...]
    stride: int
    slots: int

    @property
    def size(self) -> int:
        """Bytes of the whole memory; a multiple of a page, and never nothing."""
        return -(-max(1, self.stride * self.slots) // PAGE) * PAGE

    def views(self, memory: Bytes, slot: int) -> dict[str, Array]:
        """The buffers of `slot` as arrays of their types and shapes over `memory`."""
        found = {}
        for buffer, offset in zip(self.buffers, self.offsets, strict=True):
            start = slot * self.stride + offset
            flat = memory[start : start + buffer.size].view(buffer.dtype)
            found[buffer.name] = flat.reshape(buffer.shape)
        return found

    def guards(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """The offsets of all bytes of one slot that belong to no buffer."""
        free = np.ones(self.stride, dtype=bool)
        for buffer, offset in zip(self.buffers, self.offsets, strict=True):
            free[offset : offset + buffer.size] = False
        return np.flatnonzero(free)

    def near(self, offset: int) -> str:
        """Which buffer the byte at `offset` of a slot lies behind, for a message."""
        before = [
            f"{offset - start - buffer.size + 1} bytes behind {buffer.name!r}"
            for buffer, start in zip(self.buffers, self.offsets, strict=True)
            if start + buffer.size <= offset
        ]
        return before[-1] if before else f"before {self.buffers[0].name!r}"


def region(buffers: Sequence[Buffer], slots: int) -> Region:
    """Lay out `buffers` for `slots` slots, each at a multiple of 64 bytes with guards around."""
    offsets, end = [], 0
    for buffer in buffers:
        start = -(-(end + GUARD) // ALIGNMENT) * ALIGNMENT
        offsets.append(start)
        end = start + buffer.size
    stride = -(-(end + GUARD) // ALIGNMENT) * ALIGNMENT if buffers else 0
    return Region(tuple(buffers), tuple(offsets), stride, slots)


@dataclass(frozen=True)
class Layout:
    """Both memories of a worker: `inputs` it can only read, `outputs` it writes."""

    buffers: tuple[Buffer, ...]
    inputs: Region
    outputs: Region

    @property
    def slots(self) -> int:
        """How many calls one "go" may ask for."""
        return self.outputs.slots


def layout(buffers: Sequence[Buffer], slots: int, most_bytes: int) -> Layout:
    """Lay out the buffers of a problem.

    Raises:
        InvalidInput: no output, two buffers of one name, or more than `most_bytes` in all.
    """
    if not 1 <= slots <= 4096:
        raise InvalidInput(f"{slots} slots", remedy="between 1 and 4096")
    if len({buffer.name for buffer in buffers}) != len(buffers):
        raise InvalidInput("two buffers have the same name", remedy="rename one")
    if all(buffer.role == "in" for buffer in buffers):
        raise InvalidInput("a problem without an output", remedy='give a buffer the role "out"')
    made = Layout(
        tuple(buffers),
        region([buffer for buffer in buffers if buffer.role == "in"], slots),
        region([buffer for buffer in buffers if buffer.role != "in"], slots),
    )
    if made.inputs.size + made.outputs.size > most_bytes:
        raise InvalidInput(
            f"{made.inputs.size + made.outputs.size} bytes for {slots} slots",
            remedy=f"the limit is {most_bytes}; use fewer slots or smaller buffers",
        )
    return made

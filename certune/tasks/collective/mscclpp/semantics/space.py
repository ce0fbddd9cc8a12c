"""The memory of all ranks as numbered locations.

A location is one *unit* of one buffer of one rank. A chunk has `units` units: 1 where no
operation splits a chunk, the size of the thread-block groups where they do, the number of
iterations where pipelines walk over it. In place, input and output are one memory:

| collective            | memory | the other buffer                       |
|-----------------------|--------|----------------------------------------|
| allreduce, alltoall   | i      | o[k] = i[k]                            |
| allgather             | o      | i[k] = o[rank * input_chunks + k]      |
| reducescatter         | i      | o[k] = i[rank * output_chunks + k]     |

In scratch, a packet (payload and flag) is twice as long as its payload: packet unit a occupies
the plain units 2a and 2a + 1; plans of protocol LL get scratch of twice the length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from certune.tasks.collective.mscclpp.plan import BUFFERS, Buffer, Plan

MAX_LOCATIONS = 2**23


@dataclass(frozen=True)
class Space:
    """Locations of `plan` with `units` units a chunk; `scratch_units` units a scratch chunk."""

    plan: Plan
    units: int
    scratch_units: int

    @cached_property
    def aliased(self) -> Buffer | None:
        """The buffer that is a part of the other one; None out of place."""
        if not self.plan.inplace:
            return None
        return "i" if self.plan.collective == "allgather" else "o"

    @cached_property
    def lengths(self) -> list[dict[Buffer, int]]:
        """Units of each memory of each rank; an aliased buffer has none of its own."""
        packets = 2 if self.plan.protocol == "LL" else 1
        lengths: list[dict[Buffer, int]] = []
        for gpu in self.plan.gpus:
            own: dict[Buffer, int] = {
                "i": gpu.input_chunks * self.units,
                "o": gpu.output_chunks * self.units,
                "s": gpu.scratch_chunks * self.scratch_units * packets,
            }
            if self.aliased == "o":
                own["i"] = max(own["i"], own["o"])
            if self.aliased:
                own[self.aliased] = 0
            lengths.append(own)
        return lengths

    @cached_property
    def bases(self) -> list[dict[Buffer, int]]:
        """The first location of each memory of each rank."""
        bases: list[dict[Buffer, int]] = []
        first = 0
        for own in self.lengths:
            here: dict[Buffer, int] = {}
            for buffer in BUFFERS:
                here[buffer] = first
                first += own[buffer]
            bases.append(here)
        return bases

    @cached_property
    def count(self) -> int:
        """How many locations there are."""
        return sum(sum(own.values()) for own in self.lengths)

    def place(self, rank: int, buffer: Buffer, start: int, shift: int) -> tuple[Buffer, int]:
        """The memory and first unit that unit `start` of `buffer` of `rank` is.

        `shift` is the rank whose offset positions an aliased buffer: the owner for its own
        accesses. The executor adds the *acting* rank's offset to remote addresses, and none to
        the local side of a port channel.
        """
        gpu = self.plan.gpus[rank]
        if buffer != self.aliased:
            return buffer, start
        if self.plan.collective == "allgather":
            return "o", shift * gpu.input_chunks * self.units + start
        if self.plan.collective == "reducescatter":
            return "i", shift * gpu.output_chunks * self.units + start
        return "i", start

    def name(self, location: int) -> tuple[int, Buffer, int]:
        """Rank, memory and unit of a location."""
        for rank, bases in enumerate(self.bases):
            for buffer in BUFFERS:
                first = bases[buffer]
                if first <= location < first + self.lengths[rank][buffer]:
                    return rank, buffer, location - first
        raise IndexError(location)

    def describe(self, location: int) -> str:
        """A location in words: ``rank 1's s[2]``, with the unit where chunks have several."""
        rank, buffer, unit = self.name(location)
        per = self.scratch_units if buffer == "s" else self.units
        part = f", part {unit % per} of {per}" if per > 1 else ""
        half = ""
        if buffer == "s" and self.plan.protocol == "LL":
            half = " (in units of payload)"
        return f"rank {rank}'s {buffer}[{unit // per}]{part}{half}"

"""What an operation does to memory, as the executor carries it out.

Every data operation is a set of moves: the sum of the sources, unit by unit, is written to each
destination. Facts are those of execution_kernel.hpp and execution_plan.cc of microsoft/mscclpp
(1f5f065d); where the executor departs from what the plan says, an `Issue` tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from certune.tasks.collective.mscclpp.plan import (
    PACKET_OPERATIONS,
    Buffer,
    Operand,
    Operation,
    Plan,
    RemoteBuffer,
    SwitchChannel,
)
from certune.tasks.collective.mscclpp.semantics.space import Space

# "departs": other than written, and followed as it is; "strays": other than written, into memory
# that cannot be told; "unknown": not modelled.
Severity: TypeAlias = Literal["bounds", "departs", "strays", "unknown"]


class Region(NamedTuple):
    """`start` is the first location; a packet takes two locations a unit."""

    start: int
    packet: bool


class Move(NamedTuple):
    """The sum of `sources` goes to each of `destinations`, for `units` units.

    `slot` is the thread that hands the move to the proxy of a port channel, which then acts on
    its own; -1 where the threads of the block do it themselves. `channel` is that port channel.
    """

    sources: tuple[Region, ...]
    destinations: tuple[Region, ...]
    units: int
    slot: int = -1
    channel: int = -1


@dataclass(frozen=True)
class Issue:
    """Something about an operation: out of bounds, other than written, or not modelled."""

    severity: Severity
    sentence: str


class Unmodelled(Exception):
    """The operation cannot be translated; the message says why."""


class Strays(Exception):
    """The executor does something else, with memory that cannot be told; the message says what."""


def piece(chunks: int, units: int, group: tuple[int, int]) -> tuple[int, int]:
    """First unit and length of a group member's part of `chunks` chunks, by the executor's rule.

    The unit stands for `buffer_alignment` bytes or, where only equal parts matter, for a part.
    """
    position, members = group
    total = chunks * units
    least, rest = divmod(total, members)

    def offset(index: int) -> int:
        return index * least + min(index % total, rest)

    return offset(position), offset(position + 1) - offset(position)


@dataclass(frozen=True)
class Actor:
    """Who carries out operations: a thread block of a rank, and in which iteration, if any."""

    plan: Plan
    space: Space
    rank: int
    block: int
    iteration: int | None = None

    def remote(self, op: Operation, number: int) -> RemoteBuffer:
        """The remote buffer that `number` names for `op`."""
        gpu = self.plan.gpus[self.rank]
        kind = op.channel_type or "memory"
        return gpu.remote_buffers[gpu.threadblocks[self.block].remote[kind][number]]

    def switch(self, number: int) -> int:
        """The rank's switch channel that the thread block calls `number`."""
        return self.plan.gpus[self.rank].threadblocks[self.block].channels["switch"][number]


class Translation:
    """The moves of one operation and what is to be said about it.

    `op` is left with the operands that the executor looks at; `written` is the whole.
    """

    def __init__(self, actor: Actor, op: Operation) -> None:
        self.actor = actor
        self.op = self.written = op
        self.moves: list[Move] = []
        self.issues: list[Issue] = []
        self.packet = op.name in PACKET_OPERATIONS
        if self.packet and actor.iteration is not None:
            raise Unmodelled("a packet operation inside a pipeline ignores the iteration")
        if op.group[1] > 1 and actor.iteration is not None:
            raise Unmodelled("a thread-block group inside a pipeline")
        if op.reduce not in (None, "sum"):
            self.issues.append(
                Issue("departs", f"reduce_op is {op.reduce}; the executor always adds")
            )

    def extent(self, operand: Operand) -> tuple[int, int]:
        """First unit within its buffer and length of an operand, after splitting."""
        units = self.actor.space.units
        if self.op.group[1] == 1:
            return operand.index * units, operand.size * units
        first, length = piece(operand.size, units, self.op.group)
        if length < 0:
            raise Unmodelled("the group is larger than what it splits")
        return operand.index * units + first, length

    def step(self, length: int) -> int:
        """Units that this iteration handles of an operand of `length` units."""
        iteration = self.actor.iteration
        if iteration is None:
            return length
        if iteration > length:
            self.issues.append(
                Issue(
                    "bounds",
                    "the pipeline runs over more chunks than the operand has; its length "
                    "wraps below zero and it touches what lies behind",
                )
            )
            return 0
        return min(length - iteration, 1)

    def region(
        self,
        owner: int,
        buffer: Buffer,
        first: int,
        units: int,
        *,
        packet: bool = False,
        shift: int | None = None,
        wraps: bool = True,
        what: str,
    ) -> Region:
        """`units` units from unit `first` of a buffer, checked against its length.

        A packet takes two units for each of its payload, and so lies twice as far from where its
        buffer begins.
        """
        actor = self.actor
        space = actor.space
        per = 2 if packet else 1
        memory, start = space.place(owner, buffer, per * first, owner if shift is None else shift)
        if memory == "s" and space.scratch_units != space.units:
            # reuse_resources: scratch chunks hold fewer units than chunks have iterations
            if actor.iteration is None:
                self.issues.append(
                    Issue("bounds", f"{what} takes a whole chunk of scratch that is shorter")
                )
                return Region(space.bases[owner]["s"], packet)
            chunk = first // space.units
            slot = actor.iteration % space.scratch_units if wraps else actor.iteration
            start = chunk * space.scratch_units + slot
        elif actor.iteration is not None:
            start += actor.iteration
        length = space.lengths[owner][memory]
        end = start + per * units
        if end > length:
            self.issues.append(
                Issue(
                    "bounds",
                    f"{what} reaches to unit {end} of rank {owner}'s {memory}, which has {length}"
                    + (" (packets take twice their payload)" if packet else ""),
                )
            )
        return Region(space.bases[owner][memory] + start, packet)

    def local(
        self, operand: Operand, units: int, *, packet: bool = False, wraps: bool = True
    ) -> Region:
        """A local operand."""
        if operand.reference != "local" or operand.buffer is None:
            raise Strays("an operand that must be local is not")
        first, _ = self.extent(operand)
        return self.region(
            self.actor.rank,
            operand.buffer,
            first,
            units,
            packet=packet,
            wraps=wraps,
            what="an operand",
        )

    def packets(self, operand: Operand, units: int) -> Region:
        """Local packets that are read: from scratch, whatever buffer is named."""
        if operand.reference != "local":
            raise Strays("an operand that must be local is not")
        if operand.buffer != "s":
            self.departs("the executor reads packets from scratch, whatever buffer is named")
            operand = replace(operand, buffer="s")
        return self.local(operand, units, packet=True)

    def remote(self, operand: Operand, units: int, *, packet: bool = False) -> Region:
        """An operand in another rank's memory."""
        if operand.reference != "remote":
            raise Strays("an operand that must be remote is not")
        actor = self.actor
        target = actor.remote(self.op, operand.id)
        self.registered(target.buffer)
        if packet and target.buffer != "s" and actor.plan.double_scratch:
            raise Strays(
                "with use_double_scratch_buffer the executor moves packets to a peer's input or "
                "output by half of scratch at every second launch"
            )
        if target.buffer == "s" and actor.plan.double_scratch and not packet:
            self.halves()
        first, _ = self.extent(operand)
        # Of packets the executor doubles the whole offset, the acting rank's own part included.
        shift = 2 * actor.rank if packet else actor.rank
        return self.region(
            target.rank,
            target.buffer,
            first,
            units,
            packet=packet,
            shift=shift,
            what="a remote operand",
        )

    def departs(self, sentence: str) -> None:
        """Note that the executor does something else than the plan says, which is followed."""
        self.issues.append(Issue("departs", sentence))

    def registered(self, buffer: Buffer) -> None:
        """Note that a buffer of the caller is reached through its registration."""
        if self.actor.plan.reuse_resources and buffer != "s":
            self.issues.append(
                Issue(
                    "departs",
                    "with reuse_resources the caller's buffers are registered at the first call "
                    "only; later calls with other buffers reach the first ones",
                )
            )

    def halves(self) -> None:
        """Give up on plain remote accesses to scratch, which ignore the half in use."""
        raise Strays(
            "with use_double_scratch_buffer remote accesses other than packets go to the "
            "first half of scratch at every launch, local ones alternate"
        )

    def memory_only(self) -> None:
        """Refuse to model an operation on another channel type."""
        if self.op.channel_type != "memory":
            raise Unmodelled(f"{self.op.name} over {self.op.channel_type} channels")

    def sizes(self, effective: int, operands: Sequence[Operand]) -> None:
        """Note operands whose own length is not the one that the executor takes."""
        if any(self.extent(operand)[1] != effective for operand in operands):
            self.departs("operands differ in size; the executor takes one for all")

    def counts(self, sources: range | int, destinations: range | int) -> None:
        """Keep the operands that the executor looks at.

        Where there are too few it takes zeros for what is missing.
        """
        given = self.op.sources, self.op.destinations
        kept: list[tuple[Operand, ...]] = []
        for operands, allowed in (
            (self.op.sources, sources),
            (self.op.destinations, destinations),
        ):
            wanted = range(allowed, allowed + 1) if isinstance(allowed, int) else allowed
            if len(operands) in wanted:
                kept.append(operands)
                continue
            said = f"{self.op.name} with {len(operands)} operands on one side"
            if len(operands) < wanted.start:
                raise Strays(f"{said}; the executor looks at {wanted.start}")
            if not isinstance(allowed, int):
                raise Unmodelled(said)
            self.departs(f"{said}; the executor looks at {allowed}")
            kept.append(operands[:allowed])
        if (kept[0], kept[1]) != given:
            self.op = replace(self.op, sources=kept[0], destinations=kept[1])

    def bound_switch(self, operand: Operand) -> tuple[SwitchChannel, list[tuple[int, Buffer]]]:
        """The switch channel of an operand and the (rank, buffer) that it reaches."""
        if operand.reference != "switch":
            raise Strays("an operand that must be a switch channel is not")
        actor = self.actor
        number = actor.switch(operand.id)
        own = actor.plan.gpus[actor.rank].switch
        channel = own[number]
        ordinal = sum(other.ranks == channel.ranks for other in own[:number])
        reached: list[tuple[int, Buffer]] = []
        for rank in channel.ranks:
            same = [x for x in actor.plan.gpus[rank].switch if x.ranks == channel.ranks]
            if len(same) <= ordinal:
                raise Unmodelled(f"rank {rank} has no such switch channel")
            reached.append((rank, same[ordinal].buffer))
        return channel, reached

    def switched(self, operand: Operand, units: int) -> tuple[Region, ...]:
        """The regions of all ranks that a switch operand reaches."""
        actor = self.actor
        channel, reached = self.bound_switch(operand)
        self.registered(channel.buffer)
        if channel.buffer == "s" and actor.plan.double_scratch:
            self.halves()
        first, _ = self.extent(operand)
        return tuple(
            self.region(rank, buffer, first, units, shift=actor.rank, what="a switch operand")
            for rank, buffer in reached
        )

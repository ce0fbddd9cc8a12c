"""A native schedule by packets: the protocol LL of MSCCL++, for small messages.

A packet carries payload and flag, so that nobody signals: who needs it reads it until its flag is
that of the launch. Packets are written to scratch alone, each to a slot of its own; two halves of
scratch are used in turn by the launches. Before a rank writes a slot again, it has been through
a whole launch in which every rank heard of every other, so that its reader is done with it.

A copy is unpacked to its place; where it has none yet it stays a packet and is passed on as one.
A sum is added from packets to a plain value and, where it is sent at all, goes on as packets in
the same operation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from certune.core import InvalidInput
from certune.tasks.collective.mscclpp.drafts import (
    HERE,
    Draft,
    Run,
    Segment,
    Target,
    batches,
    local,
    rounds,
    runs,
)
from certune.tasks.collective.mscclpp.layout import Layout, Place
from certune.tasks.collective.mscclpp.plan import MAX_OPERANDS

Send = tuple[int, int, int, bool]  # source, destination, chunk, reduce


@dataclass
class _Sum:
    """A sum to a local place, which may still get remote targets."""

    sources: tuple[Place, ...]
    targets: list[Target]


@dataclass
class _Held:
    """Where a rank has a chunk: plain, as a packet, or both; the sum that it is, if any."""

    plain: Place | None = None
    packet: Place | None = None
    made: _Sum | None = None


@dataclass
class _Step:
    """What a rank does in a step: puts and passes on, then what prepares sums, then the rest."""

    puts: list[Run] = field(default_factory=list)
    passed: dict[Place, list[Target]] = field(default_factory=lambda: defaultdict(list))
    prepared: list[Run] = field(default_factory=list)
    unpacked: list[Run] = field(default_factory=list)
    copied: list[Run] = field(default_factory=list)
    sums: list[_Sum] = field(default_factory=list)

    def segments(self, merge: bool) -> Iterator[Segment]:
        """The drafts of the step."""
        sending = list(batches("ppkt", runs(self.puts, merge)))
        listed = [
            Run((packet,), tuple(targets[first : first + MAX_OPERANDS]))
            for packet, targets in self.passed.items()
            for first in range(0, len(targets), MAX_OPERANDS)
        ]
        yield sending + [Draft("rppkt", runs=(run,)) for run in runs(listed, merge)]
        yield [Draft("upkt", runs=(run,)) for run in runs(self.prepared, merge)]
        coming = [Draft("upkt", runs=(run,)) for run in runs(self.unpacked, merge)]
        coming += [Draft("copy", runs=(run,)) for run in runs(self.copied, merge)]
        listed = [Run(x.sources, tuple(x.targets)) for x in self.sums]
        for number, sums in enumerate(rounds(listed)):
            adding = [
                Draft("respkt" if len(run.targets) > 1 else "repkt", runs=(run,))
                for run in runs(sums, merge)
            ]
            yield adding if number else coming + adding
        if not listed:
            yield coming


class _Rank:
    """What a rank holds where, and its steps so far."""

    def __init__(self, rank: int, layout: Layout) -> None:
        self.rank = rank
        self.layout = layout
        self.held: dict[int, _Held] = {}
        self.slots = 0
        self.steps: list[_Step] = []

    def slot(self) -> Place:
        """A slot of scratch that nothing used yet, for a packet."""
        self.slots += 1
        return ("s", self.slots - 1)

    def plain(self) -> Place:
        """A place in scratch for a plain value: a slot for packets is twice as long."""
        _, number = self.slot()
        return ("s", 2 * number)

    def send(self, step: _Step, chunk: int, target: Target) -> None:
        """Send what is held of a chunk."""
        held = self.held.get(chunk)
        if held is None:
            raise InvalidInput(
                f"rank {self.rank} sends chunk {chunk}, which it does not hold", place="schedule"
            )
        if held.made is not None and len(held.made.targets) < MAX_OPERANDS:
            held.made.targets.append(target)
        elif held.plain is not None:
            step.puts.append(Run((held.plain,), (target,)))
        elif held.packet is not None:
            step.passed[held.packet].append(target)

    def take(self, step: _Step, chunk: int, slot: Place) -> None:
        """Replace what is held of a chunk by the packet in `slot`."""
        target = self.layout.resting(self.rank, chunk)
        if target is not None:
            step.unpacked.append(local((slot,), target))
        self.held[chunk] = _Held(target, slot)

    def add(self, step: _Step, chunk: int, slots: Sequence[Place]) -> None:
        """Add packets to what is held of a chunk."""
        held = self.held.get(chunk)
        if held is None:
            raise InvalidInput(
                f"rank {self.rank} adds to chunk {chunk}, which it does not hold",
                place="schedule",
            )
        target = self.layout.resting(self.rank, chunk) or self.plain()
        first = held.plain
        if first is None and held.packet is not None:
            first = self.plain()
            step.prepared.append(local((held.packet,), first))
        made: _Sum | None = None
        for begin in range(0, len(slots), MAX_OPERANDS - 1):
            before = target if begin else first
            if before is None:
                raise AssertionError("what is held is somewhere")
            made = _Sum((before, *slots[begin : begin + MAX_OPERANDS - 1]), [(HERE, target)])
            step.sums.append(made)
        self.held[chunk] = _Held(target, None, made)

    def finish(self) -> None:
        """Bring to its final place what is not there yet."""
        last = _Step()
        for chunk, held in sorted(self.held.items()):
            wanted = self.layout.final(self.rank, chunk)
            if wanted is None or wanted == held.plain:
                continue
            if held.plain is not None:
                last.copied.append(local((held.plain,), wanted))
            elif held.packet is not None:
                last.unpacked.append(local((held.packet,), wanted))
        self.steps.append(last)


def programs(
    steps: Iterable[Sequence[Send]], layout: Layout, merge: bool
) -> tuple[list[list[Segment]], list[int]]:
    """Segments of every rank, and how many slots of scratch each needs.

    Raises:
        InvalidInput: a rank sends or adds to what it does not hold.
    """
    ranks = [_Rank(rank, layout) for rank in range(layout.collective.ranks)]
    for rank, chunk in layout.initial():
        ranks[rank].held[chunk] = _Held(layout.start(rank, chunk))
    for rows in steps:
        here = [_Step() for _ in ranks]
        come: dict[tuple[int, int], list[tuple[Place, bool]]] = defaultdict(list)
        for source, destination, chunk, reduce in rows:
            slot = ranks[destination].slot()
            ranks[source].send(here[source], chunk, (destination, slot))
            come[destination, chunk].append((slot, reduce))
        for (rank, chunk), arrivals in come.items():
            for slot, reduce in arrivals:
                if not reduce:
                    ranks[rank].take(here[rank], chunk, slot)
            added = [slot for slot, reduce in arrivals if reduce]
            if added:
                ranks[rank].add(here[rank], chunk, added)
        for state, step in zip(ranks, here, strict=True):
            state.steps.append(step)
    for state in ranks:
        state.finish()
    listed = [[part for step in state.steps for part in step.segments(merge)] for state in ranks]
    return listed, [state.slots for state in ranks]

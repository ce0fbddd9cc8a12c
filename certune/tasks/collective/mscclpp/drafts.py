"""What a rank does between two meetings of its threads, before it has channels and tables.

A program is a list of segments, a segment a list of drafts: operations whose channels are still
peers and whose buffers are still places. `certune.tasks.collective.mscclpp.pack` makes thread
blocks of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from certune.tasks.collective.mscclpp.layout import Place
from certune.tasks.collective.mscclpp.plan import (
    MAX_CHANNELS_PER_OPERATION,
    MAX_OPERANDS,
    Buffer,
)

HERE = -1  # the peer of a local target
Target: TypeAlias = tuple[int, Place]  # a peer, or HERE, and where there


@dataclass(frozen=True)
class Put:
    """What lies at `source` goes to `target` of rank `peer`."""

    peer: int
    source: Place
    target: Place


@dataclass(frozen=True)
class Message:
    """A signal to, or a wait for, rank `peer`."""

    peer: int
    relaxed: bool = False


@dataclass
class Step:
    """Puts, then signals, then waits, then local work; threads meet in between."""

    puts: list[Put] = field(default_factory=list)
    signals: list[Message] = field(default_factory=list)
    waits: list[Message] = field(default_factory=list)
    copies: list[tuple[Place, Place]] = field(default_factory=list)
    sums: list[tuple[tuple[Place, ...], Place]] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """Consecutive chunks: sources and targets are the first of `size`."""

    sources: tuple[Place, ...]
    targets: tuple[Target, ...]
    size: int = 1


@dataclass(frozen=True)
class Draft:
    """An operation on runs; or one with peers: a signal, a wait, a put over a port channel."""

    name: str
    peers: tuple[int, ...] = ()
    runs: tuple[Run, ...] = ()

    @property
    def remote(self) -> Iterator[tuple[int, Buffer]]:
        """The peers and their buffers that it writes."""
        return (
            (peer, place[0]) for run in self.runs for peer, place in run.targets if peer != HERE
        )


Segment: TypeAlias = list[Draft]


def runs(moves: Sequence[Run], merge: bool) -> list[Run]:
    """Moves, joined with `merge` where all their places follow on each other."""
    found: list[Run] = []
    for move in sorted(moves, key=lambda x: x.targets):
        if merge and found:
            last = found[-1]
            follows = (
                tuple((b, k + last.size) for b, k in last.sources),
                tuple((peer, (b, k + last.size)) for peer, (b, k) in last.targets),
            )
            if follows == (move.sources, move.targets):
                found[-1] = Run(last.sources, last.targets, last.size + move.size)
                continue
        found.append(move)
    return found


def batches(name: str, listed: Sequence[Run]) -> Iterator[Draft]:
    """Puts of several runs each; one takes one buffer for all its sources."""
    by_buffer: dict[Buffer, list[Run]] = defaultdict(list)
    for run in listed:
        by_buffer[run.sources[0][0]].append(run)
    for same in by_buffer.values():
        for first in range(0, len(same), MAX_OPERANDS - 2):
            yield Draft(name, runs=tuple(same[first : first + MAX_OPERANDS - 2]))


def local(sources: Sequence[Place], target: Place) -> Run:
    """A move within the rank."""
    return Run(tuple(sources), ((HERE, target),))


def rounds(sums: Sequence[Run]) -> Iterator[list[Run]]:
    """Sums of which those to one target follow each other."""
    found: list[list[Run]] = []
    times: dict[Target, int] = defaultdict(int)
    for run in sums:
        target = run.targets[0]
        if times[target] == len(found):
            found.append([])
        found[times[target]].append(run)
        times[target] += 1
    return iter(found)


def segments(steps: Sequence[Step], merge: bool, port: bool = False) -> Iterator[Segment]:
    """The drafts between meetings of the threads, in order.

    Over port channels a put belongs to a channel, that of the signal that follows it.
    """
    for step in steps:
        listed = runs([Run((p.source,), ((p.peer, p.target),)) for p in step.puts], merge)
        if port:
            yield [Draft("put", peers=(run.targets[0][0],), runs=(run,)) for run in listed]
        else:
            yield list(batches("put", listed))
        meeting: Segment = []
        for names, messages in (
            (("signal", "rlxsignal"), step.signals),
            (("wait", "rlxwait"), step.waits),
        ):
            for relaxed in (False, True):
                peers = [m.peer for m in messages if m.relaxed == relaxed]
                for first in range(0, len(peers), MAX_CHANNELS_PER_OPERATION):
                    part = tuple(peers[first : first + MAX_CHANNELS_PER_OPERATION])
                    meeting.append(Draft(names[relaxed], part))
        yield meeting
        copies = [local((a,), b) for a, b in step.copies]
        yield [Draft("copy", runs=(run,)) for run in runs(copies, merge)]
        for sums in rounds([local(sources, target) for sources, target in step.sums]):
            yield [Draft("re", runs=(run,)) for run in runs(sums, merge)]

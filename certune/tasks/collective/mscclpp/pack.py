"""Programs of ranks packed into thread blocks, channels and tables of remote buffers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from certune.core import InvalidInput
from certune.tasks.collective.mscclpp.layout import Place
from certune.tasks.collective.mscclpp.plan import (
    MAX_CHANNELS,
    MAX_CHANNELS_PER_OPERATION,
    MAX_OPERANDS,
    MAX_OPERATIONS,
    Buffer,
    Gpu,
    Operand,
    Operation,
    RemoteBuffer,
    ThreadBlock,
)

PeerChannel: TypeAlias = Literal["memory", "port"]

# A block also begins with acquire and nop and ends with release.
_ROOM = MAX_OPERATIONS - 3
_PEERS = MAX_CHANNELS // 2


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
class _Run:
    """Consecutive chunks: `sources` and `target` are the first of `size`."""

    sources: tuple[Place, ...]
    target: Place
    size: int
    peer: int = -1


def _runs(moves: Sequence[tuple[int, tuple[Place, ...], Place]], merge: bool) -> list[_Run]:
    """Moves as runs, joined where all their places follow on each other."""
    runs: list[_Run] = []
    for peer, sources, target in sorted(moves, key=lambda x: (x[0], x[2])):
        if merge and runs:
            last = runs[-1]
            follows = [(b, k + last.size) for b, k in (*last.sources, last.target)]
            if last.peer == peer and follows == [*sources, target]:
                runs[-1] = _Run(last.sources, last.target, last.size + 1, peer)
                continue
        runs.append(_Run(sources, target, 1, peer))
    return runs


# An operation whose channels and remote buffers are still peers and buffers.
@dataclass(frozen=True)
class _Draft:
    name: str
    peers: tuple[int, ...] = ()
    runs: tuple[_Run, ...] = ()


_Segment: TypeAlias = list[_Draft]


def _segments(steps: Sequence[Step], merge: bool, port: bool) -> Iterator[_Segment]:
    """The drafts between meetings of the threads, in order.

    Over port channels a put belongs to a channel, that of the signal that follows it.
    """
    for step in steps:
        puts: _Segment = []
        by_buffer: dict[Buffer, list[_Run]] = defaultdict(list)
        for run in _runs([(p.peer, (p.source,), p.target) for p in step.puts], merge):
            if port:
                puts.append(_Draft("put", peers=(run.peer,), runs=(run,)))
            else:
                by_buffer[run.sources[0][0]].append(run)
        for runs in by_buffer.values():
            # A put takes one buffer for all its sources.
            for first in range(0, len(runs), MAX_OPERANDS - 2):
                puts.append(_Draft("put", runs=tuple(runs[first : first + MAX_OPERANDS - 2])))
        yield puts
        meeting: _Segment = []
        for names, messages in (
            (("signal", "rlxsignal"), step.signals),
            (("wait", "rlxwait"), step.waits),
        ):
            for relaxed in (False, True):
                peers = [m.peer for m in messages if m.relaxed == relaxed]
                for first in range(0, len(peers), MAX_CHANNELS_PER_OPERATION):
                    part = tuple(peers[first : first + MAX_CHANNELS_PER_OPERATION])
                    meeting.append(_Draft(names[relaxed], part))
        yield meeting
        yield [
            _Draft("copy", runs=(run,))
            for run in _runs([(-1, (a,), b) for a, b in step.copies], merge)
        ]
        rounds: list[list[tuple[int, tuple[Place, ...], Place]]] = []
        times: dict[Place, int] = defaultdict(int)
        for sources, target in step.sums:
            if times[target] == len(rounds):
                rounds.append([])
            rounds[times[target]].append((-1, sources, target))
            times[target] += 1
        for sums in rounds:
            yield [_Draft("re", runs=(run,)) for run in _runs(sums, merge)]


def _blocks(steps: Sequence[Step], merge: bool, port: bool) -> list[list[_Segment]]:
    """Segments shared out to consecutive thread blocks, within their limits."""
    blocks: list[list[_Segment]] = [[]]
    count = 0
    peers: set[int] = set()
    remote: set[tuple[int, Buffer]] = set()
    for segment in _segments(steps, merge, port):
        part: _Segment = []
        for draft in segment:
            here = set(draft.peers)
            there = {(run.peer, run.target[0]) for run in draft.runs if run.peer >= 0}
            full = (
                count + len(part) + 2 > _ROOM
                or len(peers | here) > _PEERS
                or len(remote | there) > MAX_CHANNELS
            )
            if full:
                if part:
                    blocks[-1].append(part)
                blocks.append([])
                part, count, peers, remote = [], 0, set(), set()
            part.append(draft)
            peers |= here
            remote |= there
        if part:
            blocks[-1].append(part)
            count += len(part) + 1
    return [block for block in blocks if block] or [[]]


class _Links:
    """The channels: for every pair of blocks of two ranks that exchange signals, one."""

    def __init__(self, programs: Sequence[list[list[_Segment]]]) -> None:
        given: dict[tuple[int, int], list[int]] = defaultdict(list)
        taken: dict[tuple[int, int], list[int]] = defaultdict(list)
        for rank, blocks in enumerate(programs):
            for number, block in enumerate(blocks):
                messages = (draft for segment in block for draft in segment if not draft.runs)
                for draft in messages:
                    for peer in draft.peers:
                        if draft.name.endswith("signal"):
                            given[rank, peer].append(number)
                        else:
                            taken[peer, rank].append(number)
        # (from, to) → for the n-th signal the number of the link
        self.links: dict[tuple[int, int], list[int]] = {}
        self.count: dict[tuple[int, int], int] = defaultdict(int)
        for pair in sorted(set(given) | set(taken)):
            if len(given[pair]) != len(taken[pair]):
                raise AssertionError("signals and waits are made in pairs")
            numbers: dict[tuple[int, int], int] = {}
            self.links[pair] = [
                numbers.setdefault(ends, len(numbers))
                for ends in zip(given[pair], taken[pair], strict=True)
            ]
            both = (min(pair), max(pair))
            self.count[both] = max(self.count[both], len(numbers))

    def channel(self, rank: int, peer: int, link: int, copy: int, copies: int) -> int:
        """The rank's channel for link `link` with `peer`, for one of several copies."""
        before = sum(
            self.count[min(rank, other), max(rank, other)] for other in range(peer) if other != rank
        )
        return (before + link) * copies + copy

    def peers(self, rank: int, ranks: int, copies: int) -> tuple[int, ...]:
        """`connected_to` of the rank's channels."""
        return tuple(
            peer
            for peer in range(ranks)
            if peer != rank
            for _ in range(self.count[min(rank, peer), max(rank, peer)] * copies)
        )


class _Block:
    """Tables of a thread block, filled as its operations are written."""

    def __init__(
        self,
        rank: int,
        group: tuple[int, int],
        remote: dict[tuple[int, Buffer], int],
        kind: PeerChannel,
    ) -> None:
        self.rank, self.group, self.buffers, self.kind = rank, group, remote, kind
        self.channels: list[int] = []
        self.remote: list[int] = []
        self.operations: list[Operation] = []

    @staticmethod
    def _number(table: list[int], entry: int) -> int:
        if entry not in table:
            table.append(entry)
        return table.index(entry)

    def channel(self, number: int) -> int:
        """The block's own number of one of the rank's channels."""
        return self._number(self.channels, number)

    def target(self, run: _Run) -> Operand:
        """The remote operand of a run."""
        entry = self.buffers.setdefault((run.peer, run.target[0]), len(self.buffers))
        return Operand("remote", run.target[1], run.size, id=self._number(self.remote, entry))

    def data(self, draft: _Draft, channels: tuple[int, ...] = ()) -> Operation:
        """A data operation; a put over a port channel names the channel."""
        first = draft.runs[0]
        if draft.name == "put":
            sources = tuple(
                Operand("local", run.sources[0][1], run.size, run.sources[0][0])
                for run in draft.runs
            )
            targets = tuple(self.target(run) for run in draft.runs)
            return Operation(
                "put", self.kind, channels, sources=sources, destinations=targets, group=self.group
            )
        sources = tuple(Operand("local", k, first.size, b) for b, k in first.sources)
        buffer, index = first.target
        target = (Operand("local", index, first.size, buffer),)
        reduce = "sum" if draft.name == "re" else None
        return Operation(
            draft.name, sources=sources, destinations=target, group=self.group, reduce=reduce
        )

    def done(self) -> ThreadBlock:
        """The finished block.

        Raises:
            InvalidInput: it needs more channels than a block has room for.
        """
        if len(self.channels) > MAX_CHANNELS:
            raise InvalidInput(
                f"rank {self.rank} needs {len(self.channels)} channels in one thread block",
                place="channels",
                remedy=f"the executor has room for {MAX_CHANNELS} (MAX_CHANNEL)",
            )
        return ThreadBlock(
            tuple(self.operations),
            {self.kind: tuple(self.channels)} if self.channels else {},
            {self.kind: tuple(self.remote)} if self.remote else {},
        )


def pack(
    programs: Sequence[Sequence[Step]],
    chunks: tuple[int, int],
    slots: Sequence[int],
    copies: int,
    kind: PeerChannel = "memory",
) -> tuple[Gpu, ...]:
    """The ranks of a plan; `copies` thread-block group members share every operation.

    Data and signals go over channels of one `kind`.
    """
    shared = [_blocks(steps, copies == 1, kind == "port") for steps in programs]
    links = _Links(shared)
    gpus = []
    for rank, blocks in enumerate(shared):
        buffers: dict[tuple[int, Buffer], int] = {}
        threadblocks: list[ThreadBlock] = []
        for copy in range(copies):
            given: dict[int, int] = defaultdict(int)
            taken: dict[int, int] = defaultdict(int)
            for number, segments in enumerate(blocks):
                block = _Block(rank, (copy, copies), buffers, kind)
                handed = copy * (len(blocks) - 1) + number
                ops = block.operations
                if number:
                    ops += [Operation("sem_acquire", semaphores=(handed - 1,)), Operation("nop")]
                for position, segment in enumerate(segments):
                    if position:
                        ops.append(Operation("nop"))
                    for draft in segment:
                        if not draft.peers:
                            ops.append(block.data(draft))
                            continue
                        channels = []
                        for peer in draft.peers:
                            waits = draft.name.endswith("wait")
                            seen = taken if waits else given
                            pair = (peer, rank) if waits else (rank, peer)
                            link = links.links[pair][seen[peer]]
                            seen[peer] += 0 if draft.runs else 1  # a put: of the next signal
                            channels.append(
                                block.channel(links.channel(rank, peer, link, copy, copies))
                            )
                        if draft.runs:
                            ops.append(block.data(draft, tuple(channels)))
                        else:
                            ops.append(Operation(draft.name, kind, tuple(channels)))
                if number + 1 < len(blocks):
                    ops += [Operation("nop"), Operation("sem_release", semaphores=(handed,))]
                threadblocks.append(block.done())
        gpus.append(
            Gpu(
                *chunks,
                slots[rank],
                tuple(threadblocks),
                memory=links.peers(rank, len(programs), copies) if kind == "memory" else (),
                port=links.peers(rank, len(programs), copies) if kind == "port" else (),
                remote_buffers=tuple(
                    RemoteBuffer(peer, buffer, (kind,)) for peer, buffer in buffers
                ),
                semaphores=(0,) * (copies * (len(blocks) - 1)),
            )
        )
    return tuple(gpus)

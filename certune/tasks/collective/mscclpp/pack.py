"""Programs of ranks packed into thread blocks, channels and tables of remote buffers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from certune.core import InvalidInput
from certune.tasks.collective.mscclpp.drafts import HERE, Draft, Run, Segment, Target
from certune.tasks.collective.mscclpp.layout import Place
from certune.tasks.collective.mscclpp.plan import (
    MAX_CHANNELS,
    MAX_OPERATIONS,
    PACKET_OPERATIONS,
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
# One source for all destinations, or one destination for all sources; others go pair by pair.
_SINGLE = frozenset(("copy", "re", "upkt", "repkt", "respkt", "rppkt"))


def _blocks(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Segments shared out to consecutive thread blocks, within their limits."""
    blocks: list[list[Segment]] = [[]]
    count = 0
    peers: set[int] = set()
    remote: set[tuple[int, Buffer]] = set()
    for segment in segments:
        part: Segment = []
        for draft in segment:
            here = set(draft.peers)
            there = set(draft.remote)
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

    def __init__(self, programs: Sequence[list[list[Segment]]]) -> None:
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
        # Packets need no signals, but a channel to reach the peer's memory by.
        for rank, blocks in enumerate(programs):
            for block in blocks:
                for draft in (draft for segment in block for draft in segment):
                    if draft.name in PACKET_OPERATIONS:
                        for peer, _ in draft.remote:
                            both = (min(rank, peer), max(rank, peer))
                            self.count[both] = max(self.count[both], 1)

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

    def target(self, target: Target, size: int) -> Operand:
        """The operand of a target."""
        peer, (buffer, index) = target
        if peer == HERE:
            return Operand("local", index, size, buffer)
        entry = self.buffers.setdefault((peer, buffer), len(self.buffers))
        return Operand("remote", index, size, id=self._number(self.remote, entry))

    def data(self, draft: Draft, channels: tuple[int, ...] = ()) -> Operation:
        """A data operation; a put over a port channel names the channel."""
        remote = any(True for _ in draft.remote)
        if draft.name in _SINGLE and len(draft.runs) != 1:
            raise AssertionError(f"{draft.name} has one run")

        def source(place: Place, run: Run) -> Operand:
            return Operand("local", place[1], run.size, place[0])

        return Operation(
            draft.name,
            self.kind if remote else None,
            channels,
            sources=tuple(source(place, run) for run in draft.runs for place in run.sources),
            destinations=tuple(
                self.target(target, run.size) for run in draft.runs for target in run.targets
            ),
            group=self.group,
            reduce="sum" if draft.name in ("re", "repkt", "respkt") else None,
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
    programs: Sequence[Iterable[Segment]],
    chunks: tuple[int, int],
    slots: Sequence[int],
    copies: int,
    kind: PeerChannel = "memory",
) -> tuple[Gpu, ...]:
    """The ranks of a plan; `copies` thread-block group members share every operation.

    Data and signals go over channels of one `kind`.
    """
    shared = [_blocks(segments) for segments in programs]
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
                            if draft.name in PACKET_OPERATIONS:
                                for peer, _ in draft.remote:
                                    block.channel(links.channel(rank, peer, 0, copy, copies))
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

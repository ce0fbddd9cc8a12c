"""A plan as the sequential programs of its thread blocks, pipelines unrolled.

The threads of a block run an operation together, each its elements, and go on to the next one
without waiting for each other; only ``nop`` (``__syncthreads``) and ``barrier`` bring them
together. The k-th channel, semaphore or port transfer of an operation is handled by thread k
alone (its *slot*). A program is therefore cut into *segments*: what lies between two points
where the threads meet.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from certune.tasks.collective.mscclpp.plan import ChannelType, Operation, Plan
from certune.tasks.collective.mscclpp.semantics.moves import Actor, Issue, Move
from certune.tasks.collective.mscclpp.semantics.space import Space
from certune.tasks.collective.mscclpp.semantics.translate import translate

ItemKind: TypeAlias = Literal["signal", "wait", "acquire", "release", "data", "nop", "barrier"]

# The inbound counter of a channel: the rank and index of the channel that is waited on.
# A channel without a counterpart signals a counter that nobody has: index -1.
Counter: TypeAlias = tuple[str, int, int]

# Counter → block → (item, slot) of operations on it, in program order.
Chains: TypeAlias = dict[Counter, dict[int, list[tuple[int, int]]]]


class Where(NamedTuple):
    """An operation of the file: rank, thread block, number, that inside a pipeline, iteration."""

    rank: int
    block: int
    number: int
    inner: int = -1
    iteration: int = -1

    def __str__(self) -> str:
        text = f"rank {self.rank}, thread block {self.block}, operation {self.number}"
        if self.inner >= 0:
            text += f".{self.inner} (iteration {self.iteration})"
        return text


class Item(NamedTuple):
    """One step of a thread block.

    `counters` are channel counters or semaphores, one a slot; `strong` is whether a signal
    releases and a wait acquires. `ports` are the rank's port channels that a port signal uses,
    else -1, one a slot.
    """

    kind: ItemKind
    where: Where
    counters: tuple[Counter, ...] = ()
    strong: bool = True
    ports: tuple[int, ...] = ()
    moves: tuple[Move, ...] = ()
    barrier: int = 0
    participants: int = 0


@dataclass
class Program:
    """The items of every thread block and the issues that translating them met.

    `blocks` maps (rank, thread block) to a dense number in `items`.
    """

    plan: Plan
    space: Space
    items: list[list[Item]] = field(default_factory=list)
    owners: list[tuple[int, int]] = field(default_factory=list)
    issues: list[tuple[Where, str, Issue]] = field(default_factory=list)
    _chains: dict[tuple[str, ...], Chains] = field(default_factory=dict, repr=False)

    def chains(self, kinds: tuple[str, ...]) -> Chains:
        """The operations of these kinds; ports signal with the data that they move."""
        if kinds not in self._chains:
            found: Chains = defaultdict(lambda: defaultdict(list))
            for block, items in enumerate(self.items):
                for number, item in enumerate(items):
                    signals = item.kind == "data" and "signal" in kinds
                    if item.counters and (item.kind in kinds or signals):
                        for slot, counter in enumerate(item.counters):
                            found[counter][block].append((number, slot))
            self._chains[kinds] = found
        return self._chains[kinds]

    def operation(self, where: Where) -> Operation:
        """The operation of the file at `where`."""
        gpu = self.plan.gpus[where.rank]
        op = gpu.threadblocks[where.block].operations[where.number]
        return op.operations[where.inner] if where.inner >= 0 else op


class _Pairs:
    """Which channel of the peer is the counterpart of each channel."""

    def __init__(self, plan: Plan) -> None:
        self._index: dict[tuple[str, int, int, int], int] = {}
        self._ordinal: dict[tuple[str, int, int], int] = {}
        for rank, gpu in enumerate(plan.gpus):
            for kind in ("memory", "port"):
                seen: dict[int, int] = defaultdict(int)
                for index, peer in enumerate(gpu.peers(kind)):
                    self._index[kind, rank, peer, seen[peer]] = index
                    self._ordinal[kind, rank, index] = seen[peer]
                    seen[peer] += 1
        self._plan = plan

    def outbound(self, kind: ChannelType, rank: int, index: int) -> Counter:
        """The counter that a signal on the rank's channel `index` increments."""
        peer = self._plan.gpus[rank].peers(kind)[index]
        back = self._index.get((kind, peer, rank, self._ordinal[kind, rank, index]), -1)
        return (kind, peer, back) if back >= 0 else (kind, -1 - rank, index)


def _item(
    op: Operation, actor: Actor, where: Where, pairs: _Pairs, program: Program
) -> Item | None:
    rank = actor.rank
    if op.name == "nop":
        return Item("nop", where)
    if op.name == "barrier":
        if op.participants == 1:  # DeviceSyncer.sync(1) is __syncthreads
            return Item("nop", where)
        return Item("barrier", where, barrier=op.barrier, participants=op.participants)
    if op.name in ("sem_acquire", "sem_release"):
        counters = tuple(("semaphore", rank, number) for number in op.semaphores)
        return Item("acquire" if op.name == "sem_acquire" else "release", where, counters)
    if op.name == "flush":  # the executor's handler loops over op.nOutputs, which is 0: nothing
        return None
    if op.name in ("signal", "wait", "rlxsignal", "rlxwait"):
        kind = op.channel_type
        if kind is None or kind == "switch":
            raise AssertionError("the reader lets no such signal through")
        table = program.plan.gpus[rank].threadblocks[actor.block].channels[kind]
        own = [table[number] for number in op.channels]
        # Over port channels the executor knows no relaxed form.
        strong = kind == "port" or not op.name.startswith("rlx")
        if op.name.endswith("signal"):
            counters = tuple(pairs.outbound(kind, rank, index) for index in own)
            ports = tuple(index if kind == "port" else -1 for index in own)
            return Item("signal", where, counters, strong, ports)
        return Item("wait", where, tuple((kind, rank, index) for index in own), strong)
    moves, issues = translate(actor, op)
    program.issues += [(where, op.name, issue) for issue in issues]
    if op.name == "pws" and op.channel_type == "port":
        table = program.plan.gpus[rank].threadblocks[actor.block].channels["port"]
        ports = tuple(table[number] for number in op.channels[: len(op.destinations)])
        counters = tuple(pairs.outbound("port", rank, index) for index in ports)
        return Item("data", where, counters, True, ports, moves)
    return Item("data", where, moves=moves)


def build(plan: Plan, space: Space, iterations: int = 1) -> Program:
    """The program of `plan`; a pipeline runs `iterations` times for each of its chunks."""
    program = Program(plan, space)
    pairs = _Pairs(plan)
    for rank, gpu in enumerate(plan.gpus):
        for block, threadblock in enumerate(gpu.threadblocks):
            items: list[Item] = []
            actor = Actor(plan, space, rank, block)
            for index, op in enumerate(threadblock.operations):
                if op.name != "pipeline":
                    item = _item(op, actor, Where(rank, block, index), pairs, program)
                    items += [item] if item else []
                    continue
                for iteration in range(iterations * op.unit_chunks):
                    within = Actor(plan, space, rank, block, iteration)
                    for inner, inside in enumerate(op.operations):
                        where = Where(rank, block, index, inner, iteration)
                        item = _item(inside, within, where, pairs, program)
                        items += [item] if item else []
            program.items.append(items)
            program.owners.append((rank, block))
    return program

"""One launch of a program, carried out in one of its orders.

Where every counter is waited on by one thread, which orders are possible makes no difference to
whether the launch ends (waiting is monotone: what may go on may always go on), and without races
none to what it computes. Threads are followed as far as the slots of a segment tell them apart,
and one more stands for all others.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from certune.tasks.collective.mscclpp.semantics.moves import Move
from certune.tasks.collective.mscclpp.semantics.program import Counter, Item, Program, Where
from certune.tasks.collective.mscclpp.semantics.values import UNDEFINED, Value, add, initial

_MEETINGS = ("nop", "barrier")
MAX_UNDEFINED = 64  # how many reads of undefined memory are kept

# ("boundary", block, number), ("slot", block, item, slot), ("join", rank, barrier, blocks) or,
# where packets are made of packets, ("relay", block, item, move, unit): what happened, in order.
Event: TypeAlias = (
    tuple[Literal["boundary"], int, int]
    | tuple[Literal["slot"], int, int, int]
    | tuple[Literal["join"], int, int, tuple[int, ...]]
    | tuple[Literal["relay"], int, int, int, int]
)


@dataclass(frozen=True)
class Stuck:
    """A thread that waits for ever: where, and for what."""

    where: Where
    block: int
    counter: Counter | None = None
    location: int = -1
    barrier: int = -1
    needed: int = 0
    seen: int = 0


@dataclass
class Execution:
    """What a launch did.

    `memory` is indexed by location; `undefined` lists reads of undefined memory, `applied` the
    moves in the order in which they were carried out, with their operations. `packeted` is whether
    the program reads or writes packets at all.
    """

    program: Program
    memory: list[Value | None]
    packets: bytearray
    events: list[Event] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)
    undefined: list[tuple[Where, int, str]] = field(default_factory=list)
    applied: list[tuple[Where, Move]] = field(default_factory=list)
    packeted: bool = False


def _relays(move: Move) -> bool:
    """Whether packets are written from packets."""
    read = any(region.packet for region in move.sources)
    return read and any(region.packet for region in move.destinations)


class _Thread:
    __slots__ = ("at", "ticket")

    def __init__(self, at: int) -> None:
        self.at = at
        self.ticket = 0


class _Block:
    """Where one thread block is: its segment's range of items and the threads within."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.boundary = 0
        self.done = False
        self.waiting_barrier = False
        self.passed: dict[int, int] = defaultdict(int)
        self.enter(0)

    def enter(self, first: int) -> None:
        """Begin the segment whose first item is `first`."""
        items = self.items
        end = first
        slots = 0
        plain = True
        while end < len(items) and (item := items[end]).kind not in _MEETINGS:
            if len(item.counters) > slots:
                slots = len(item.counters)
            for move in item.moves:
                if move.slot >= slots:
                    slots = move.slot + 1
                if plain:
                    plain = not any(region.packet for region in move.sources)
            end += 1
        self.first, self.end = first, end
        # What one kind of thread does without waiting needs no threads to be followed.
        self.plain = plain and not slots
        self.threads = [] if self.plain else [_Thread(first) for _ in range(slots + 1)]


class _Machine:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.result = Execution(program, initial(program.space), bytearray(program.space.count))
        # Whether there are packets at all.
        self.packets = self.result.packeted = any(
            region.packet
            for items in program.items
            for item in items
            for move in item.moves
            for region in move.sources + move.destinations
        )
        self.counts: dict[Counter, int] = defaultdict(int)
        self.tickets: dict[Counter, int] = defaultdict(int)
        for rank, gpu in enumerate(program.plan.gpus):
            for number, value in enumerate(gpu.semaphores):
                self.counts["semaphore", rank, number] = value
        self.blocks = [_Block(items) for items in program.items]
        self.wanted: dict[tuple[int, int], list[int]] = {}
        self.found: dict[tuple[int, int], int] = {}
        self.waiting: dict[object, list[int]] = defaultdict(list)
        self.arrived: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.ready = deque(range(len(self.blocks)))
        self.queued = [True] * len(self.blocks)

    def wake(self, key: object) -> None:
        for block in self.waiting.pop(key, ()):
            if not self.queued[block]:
                self.queued[block] = True
                self.ready.append(block)

    def count(self, counter: Counter) -> None:
        self.counts[counter] += 1
        self.wake(counter)

    def missing(self, block: int, at: int) -> int:
        """A location that the item reads as a packet and that holds none yet; -1 if none.

        The search goes on from where it stopped the last time; what was there then is looked at
        again when all is there, since a plain store may have destroyed it.
        """
        item = self.program.items[block][at]
        wanted = self.wanted.get((block, at))
        if wanted is None:
            wanted = [
                location
                for move in item.moves
                for region in move.sources
                if region.packet
                for location in range(region.start, region.start + 2 * move.units)
            ]
            self.wanted[block, at] = wanted
        packets = self.result.packets
        first = self.found.get((block, at), 0)
        for begin in (first, 0):
            for index in range(begin, len(wanted)):
                if not packets[wanted[index]]:
                    self.found[block, at] = index
                    return wanted[index]
        return -1

    def apply(self, where: Where, move: Move) -> None:
        memory, packets = self.result.memory, self.result.packets
        self.result.applied.append((where, move))
        if not self.packets and len(move.sources) == 1:
            # Nothing but copies of plain values.
            first = move.sources[0].start
            copied = memory[first : first + move.units]
            if None not in copied:
                for region in move.destinations:
                    memory[region.start : region.start + move.units] = copied
                return
        values: list[Value] = []
        for unit in range(move.units):
            total: Value | None = None
            for region in move.sources:
                location = region.start + (2 * unit if region.packet else unit)
                value = memory[location]
                if value is None or (packets[location] and not region.packet):
                    why = "packets as plain data" if value is not None else "undefined memory"
                    if len(self.result.undefined) < MAX_UNDEFINED:
                        self.result.undefined.append((where, location, why))
                    value = UNDEFINED
                total = value if total is None else add(total, value)
            values.append(UNDEFINED if total is None else total)
        for region in move.destinations:
            for unit, value in enumerate(values):
                if region.packet:
                    first = region.start + 2 * unit
                    memory[first] = memory[first + 1] = value
                    packets[first] = packets[first + 1] = 1
                    self.wake(first)
                    self.wake(first + 1)
                else:
                    memory[region.start + unit] = value
                    packets[region.start + unit] = 0

    def sync(self, number: int, thread: _Thread, slot: int, item: Item) -> bool:
        """Carry out slot `slot` of a synchronising item; whether the thread may go on."""
        counter = item.counters[slot]
        if item.kind in ("signal", "release"):
            self.count(counter)
            return True
        if not thread.ticket:
            self.tickets[counter] += 1
            thread.ticket = self.tickets[counter]
        if self.counts[counter] < thread.ticket:
            self.waiting[counter].append(number)
            return False
        thread.ticket = 0
        return True

    def data(self, number: int, block: _Block, thread: _Thread, slot: int, item: Item) -> bool:
        """Carry out a thread's part of a data item; whether the thread may go on."""
        missing = self.missing(number, thread.at)
        if missing >= 0:
            self.waiting[missing].append(number)
            return False
        mine = [move for move in item.moves if move.slot == slot]
        for move in mine:
            self.apply(item.where, move)
        if slot < len(item.counters):
            self.count(item.counters[slot])
        if mine or slot < len(item.counters):
            self.result.events.append(("slot", number, thread.at, slot))
        block.passed[thread.at] += 1
        if block.passed[thread.at] == len(block.threads):
            for index, move in enumerate(item.moves):
                if move.slot < 0:
                    self.apply(item.where, move)
                    if _relays(move):
                        place = (number, thread.at, index)
                        for unit in range(move.units):
                            self.result.events.append(("relay", *place, unit))
        return True

    def advance(self, number: int, block: _Block, slot: int) -> None:
        """Let one thread go on as far as it can in its segment."""
        thread = block.threads[slot]
        while thread.at < block.end:
            item = block.items[thread.at]
            if item.kind == "data":
                if not self.data(number, block, thread, slot, item):
                    return
            elif slot < len(item.counters):
                if not self.sync(number, thread, slot, item):
                    return
                self.result.events.append(("slot", number, thread.at, slot))
            thread.at += 1

    def cross(self, number: int) -> None:
        """Pass a point where the threads meet."""
        block = self.blocks[number]
        block.boundary += 1
        self.result.events.append(("boundary", number, block.boundary))
        if block.end >= len(block.items):
            block.done = True
        else:
            block.enter(block.end + 1)

    def run(self, number: int) -> None:
        block = self.blocks[number]
        while not block.done and not block.waiting_barrier:
            if block.plain:
                for item in block.items[block.first : block.end]:
                    for move in item.moves:
                        self.apply(item.where, move)
            for slot in range(len(block.threads)):
                self.advance(number, block, slot)
            for thread in block.threads:
                if thread.at < block.end:
                    return
            if block.end < len(block.items) and block.items[block.end].kind == "barrier":
                item = block.items[block.end]
                # The meeting before the barrier is a boundary of its own.
                block.boundary += 1
                self.result.events.append(("boundary", number, block.boundary))
                key = (self.program.owners[number][0], item.barrier)
                self.arrived[key].append(number)
                block.waiting_barrier = True
                if len(self.arrived[key]) < item.participants:
                    return
                together = tuple(self.arrived.pop(key))
                self.result.events.append(("join", *key, together))
                for other in together:
                    self.blocks[other].waiting_barrier = False
                    self.cross(other)
                    if other != number and not self.queued[other]:
                        self.queued[other] = True
                        self.ready.append(other)
                continue
            self.cross(number)

    def launch(self) -> Execution:
        for number in range(len(self.blocks)):
            self.result.events.append(("boundary", number, 0))
        while self.ready:
            number = self.ready.popleft()
            self.queued[number] = False
            self.run(number)
        for number, block in enumerate(self.blocks):
            if not block.done:
                self.result.stuck.append(self.why(number, block))
        return self.result

    def why(self, number: int, block: _Block) -> Stuck:
        if block.waiting_barrier:
            item = block.items[block.end]
            key = (self.program.owners[number][0], item.barrier)
            return Stuck(
                item.where,
                number,
                barrier=item.barrier,
                needed=item.participants,
                seen=len(self.arrived[key]),
            )
        slot = next(i for i, thread in enumerate(block.threads) if thread.at < block.end)
        thread = block.threads[slot]
        item = block.items[thread.at]
        if item.kind == "data":
            return Stuck(item.where, number, location=self.missing(number, thread.at))
        counter = item.counters[slot]
        return Stuck(
            item.where,
            number,
            counter,
            needed=thread.ticket,
            seen=self.counts[counter],
        )


def execute(program: Program) -> Execution:
    """Run one launch of `program` as far as it goes."""
    return _Machine(program).launch()

"""What the thread blocks of an MSCCL XML file carry out, as the interpreter of the tests reads it,
and what comes before what in it whatever the schedule and the size of messages."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from msccl_interpreter import Memory, Program

SENDS = ("s", "rcs", "rrs", "rrcs")
RECEIVES = ("r", "rcs", "rrs", "rrc", "rrcs")
READS = ("s", "rrs", "rrc", "rrcs", "cpy", "re")
WRITES = ("r", "rcs", "rrc", "rrcs", "cpy", "re")
Place = tuple[int, int]  # rank and thread block
Node = tuple[Place, int]  # and the number of an operation in it


class Different(Exception):
    """The two files do not do the same, or nothing explains why they do."""


@dataclass(frozen=True)
class Operation:
    """What a thread block does at once: operands are cells, or names without a placement."""

    kind: str
    count: int
    sends: tuple[int, int] | None
    receives: tuple[int, int] | None
    reads: tuple[object, ...]
    writes: object


@dataclass(frozen=True)
class Code:
    """What the thread blocks of a file carry out, and who waits for whom.

    `numbers` are the numbers of the transmissions that the operations are in the file.
    """

    operations: dict[Place, tuple[Operation, ...]]
    waits: frozenset[tuple[Node, Node]]
    signals: frozenset[Node]
    numbers: dict[Place, tuple[int, ...]]


def _operations(block, item, memory: Memory | None) -> list[Operation]:
    """What a transmission does; a fused reduction is as many as it has terms."""

    def where(letter: str, offset: int) -> object:
        return (letter, offset) if memory is None else memory.cell(block.rank, letter, offset)

    kind = item.kind
    if not item.count:
        return [Operation("nop", 0, None, None, (), None)]
    terms = item.added if kind == "re" else item.added[:1]
    return [
        Operation(
            kind,
            item.count,
            (block.send, block.channel) if kind in SENDS else None,
            (block.receive, block.channel) if kind in RECEIVES else None,
            (where(item.source[0], offset),) if kind in READS else (),
            where(*item.target) if kind in WRITES else None,
        )
        for offset in terms
    ]


def _flags(code) -> list[int]:
    """The flag with which each transmission would signal."""
    flags, step = [], 0
    for item in code:
        step += max(0, len(item.waits) - 1) + (len(item.added) - 1 if item.kind == "re" else 0)
        flags.append(step)
        step += 1
    return flags


def read_code(program: Program, memory: Memory | None = None) -> Code:
    """The operations of a program; what moves nothing and is waited for by nobody is left out.

    Fused reductions are taken apart: their terms are added one after the other all the same.

    Raises:
        Different: something is waited for that never comes.
    """
    flags = {place: _flags(block.code) for place, block in program.blocks.items()}
    signals = {
        place: [k for k, item in enumerate(block.code) if item.signals]
        for place, block in program.blocks.items()
    }
    waits = set()
    for place, block in program.blocks.items():
        for number, item in enumerate(block.code):
            for on, goal in item.waits:
                other = (place[0], on)
                given = [flags[other][k] for k in signals[other]]
                at = bisect_left(given, goal)
                if at == len(given):
                    raise Different(f"{place} waits for what never comes")
                waits.add(((other, signals[other][at]), (place, number)))
    awaited = {signal for signal, _ in waits}
    operations: dict[Place, tuple[Operation, ...]] = {}
    numbers: dict[Place, tuple[int, ...]] = {}
    begins: dict[Node, Node] = {}
    ends: dict[Node, Node] = {}
    for place, block in program.blocks.items():
        done: list[Operation] = []
        of: list[int] = []
        idle: list[int] = []  # their waits hold up what comes next
        for number, item in enumerate(block.code):
            idle.append(number)
            if item.count or (place, number) in awaited:
                begins |= {(place, k): (place, len(done)) for k in idle}
                idle = []
                new = _operations(block, item, memory)
                done += new
                of += [number] * len(new)
                ends[place, number] = place, len(done) - 1
        if done:
            operations[place], numbers[place] = tuple(done), tuple(of)
    return Code(
        operations,
        frozenset((ends[a], begins[b]) for a, b in waits if b in begins),
        frozenset(ends[p, k] for p, ks in signals.items() for k in ks if (p, k) in ends),
        numbers,
    )


def _messages(code: Code) -> Iterator[tuple[Node, Node]]:
    """The k-th send of a connection and its k-th receive."""
    sent, received = defaultdict(list), defaultdict(list)
    for place in sorted(code.operations):
        for number, op in enumerate(code.operations[place]):
            if op.count and op.sends:
                sent[place[0], *op.sends].append((place, number))
            if op.count and op.receives:
                received[op.receives[0], place[0], op.receives[1]].append((place, number))
    for connection, sends in sent.items():
        yield from zip(sends, received[connection], strict=True)


class Ordering:
    """What comes before what at every size of messages.

    Every operation has a begin and an end. A message is certain to begin before its receive ends,
    since their parts are paired.
    """

    def __init__(self, code: Code) -> None:
        self._after: dict[tuple[Node, bool], list[tuple[Node, bool]]] = defaultdict(list)
        for place, operations in code.operations.items():
            for number in range(len(operations)):
                self._after[(place, number), False].append(((place, number), True))
                if number + 1 < len(operations):
                    self._after[(place, number), True].append(((place, number + 1), False))
        for send, receive in _messages(code):
            self._after[send, False].append((receive, True))
        for signal, wait in code.waits:
            self._after[signal, True].append((wait, False))

    def before(self, one: Node, other: Node) -> bool:
        """Whether the end of the one comes before the beginning of the other."""
        goal, seen, todo = (other, False), {(one, True)}, [(one, True)]
        while todo:
            for following in self._after[todo.pop()]:
                if following == goal:
                    return True
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        return False


def implied(one: Code, other: Code) -> bool:
    order = Ordering(other)
    return all(order.before(*edge) for edge in one.waits - other.waits)

"""Whether all ranks of a plan add in the same order, so that their results are the same bits.

Floating-point addition is commutative but not associative. The executor adds the sources of an
operation one after the other, first to last (handleReduceSend, handleReadReduceSend); of packets
the plain source comes last (handleReduceSendPackets, which begins with a zero: the sign of a zero
is not looked at). Two ranks get the same bits for a chunk exactly if
their sums are the same expression up to swapping the two sides of an addition; equal expressions
get equal numbers, bottom up. In which order a switch adds is not known: every sum that it makes
is a number of its own, which all ranks share to which it stores it.
"""

from __future__ import annotations

from dataclasses import dataclass

from certune.tasks.collective.mscclpp.plan import SWITCHED
from certune.tasks.collective.mscclpp.semantics.execution import Execution
from certune.tasks.collective.mscclpp.semantics.values import expected

REDUCING = ("allreduce", "reducescatter")
_SHOWN = 400  # characters of an expression


@dataclass(frozen=True)
class Difference:
    """A chunk that two ranks add in different orders; `switched` where a switch adds part of it."""

    chunk: int
    ranks: tuple[int, int]
    expressions: tuple[str, str]
    switched: bool


@dataclass(frozen=True)
class Agreement:
    """How a plan adds.

    difference: a chunk on which ranks differ; None if all agree
    chunks:     number of chunks on which ranks differ
    uniform:    whether all chunks are added in the same order of ranks. If not, the bits of an
                element depend on the chunk it falls in, and so on the size of the message.
    """

    difference: Difference | None
    chunks: int
    uniform: bool


class _Expressions:
    """Numbers of expressions: ranks first, then additions and sums of switches."""

    def __init__(self, ranks: int) -> None:
        self.sides: list[tuple[int, int] | None] = [None] * ranks
        self._known: dict[tuple[int, int], int] = {}
        self.ranks = ranks

    def add(self, left: int, right: int) -> int:
        """The number of a sum."""
        key = (left, right) if left < right else (right, left)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.sides)
            self.sides.append(key)
        return number

    def switched(self) -> int:
        """A number for a sum that a switch makes."""
        self.sides.append(None)
        return len(self.sides) - 1

    def spell(self, number: int) -> tuple[str, bool]:
        """An expression over ranks, and whether it is spelled in full without a switch."""
        out: list[str] = []
        length = 0
        stack: list[int | str] = [number]
        switched = False
        while stack and length <= _SHOWN:
            item = stack.pop()
            if isinstance(item, str):
                text = item
            elif item < self.ranks:
                text = str(item)
            elif (sides := self.sides[item]) is not None:
                stack.extend((")", sides[1], " + ", sides[0]))
                text = "("
            else:
                text = "a sum of the switch"
                switched = True
            out.append(text)
            length += len(text)
        return "".join(out) + (" …" if stack else ""), switched


def agreement(execution: Execution) -> Agreement | None:
    """How a plan adds that meets its postcondition; None where it adds nothing."""
    program = execution.program
    space = program.space
    plan = space.plan
    if plan.collective not in REDUCING or plan.ranks == 1:
        return None
    known = _Expressions(plan.ranks)
    memory = [-1] * space.count
    for rank, (bases, lengths) in enumerate(zip(space.bases, space.lengths, strict=True)):
        for buffer in ("i", "o"):
            memory[bases[buffer] : bases[buffer] + lengths[buffer]] = [rank] * lengths[buffer]
    for where, move in execution.applied:
        by_switch = len(move.sources) > 1 and program.operation(where).name in SWITCHED
        total: list[int] = []
        for region in sorted(move.sources, key=lambda x: not x.packet):
            step = 2 if region.packet else 1
            found = memory[region.start : region.start + step * move.units : step]
            if not total:
                total = found
            elif not by_switch:
                total = [known.add(a, b) for a, b in zip(total, found, strict=True)]
        if by_switch:
            total = [known.switched() for _ in total]
        for region in move.destinations:
            if region.packet:
                memory[region.start : region.start + 2 * move.units : 2] = total
                memory[region.start + 1 : region.start + 2 * move.units : 2] = total
            else:
                memory[region.start : region.start + move.units] = total
    return _compare(execution, known, memory)


def _compare(execution: Execution, known: _Expressions, memory: list[int]) -> Agreement:
    space = execution.program.space
    first: dict[int, tuple[int, int]] = {}  # input unit → rank and expression
    difference: Difference | None = None
    chunks: set[int] = set()
    for rank, unit, location, _ in expected(space):
        at = unit if space.plan.collective == "allreduce" else location
        here, number = first.setdefault(at, (rank, memory[location]))
        if number == memory[location]:
            continue
        chunks.add(unit // space.units)
        if difference is None:
            one, other = known.spell(number), known.spell(memory[location])
            difference = Difference(
                unit // space.units, (here, rank), (one[0], other[0]), one[1] or other[1]
            )
    numbers = {number for _, number in first.values()}
    leaves = {number for number in numbers if known.sides[number] is None}
    return Agreement(difference, len(chunks), len(numbers) == 1 or numbers == leaves)

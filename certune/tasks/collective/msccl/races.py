"""Races: conflicting accesses of two thread blocks that nothing orders.

Ordered are, by the runtimes' memory model: the steps of a thread block; a signal and what waits
for it; the send of a message and its receive. The return of a slot is not relied upon: how many
messages a connection holds depends on the transport.

An operation on several chunks is run as messages of at most m chunks. The first two orders hold
between whole operations. A receive only follows the send slice by slice: along a path made of
messages alone, chunk p of the first operation precedes chunk q of the last for every m exactly
if p <= q. If p > q they are unordered for every m with p // m > q // m.

It suffices to look at accesses that are next to each other in one order that the program allows
(`conflicts`): orderedness is transitive, and of two accesses that are unordered in it none can
come first in all orders.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.msccl.compile import Code
from certune.tasks.collective.msccl.conflicts import conflicts
from certune.tasks.collective.msccl.dataflow import Accesses
from certune.tasks.collective.msccl.order import Order
from certune.tasks.collective.msccl.program import READS_SOURCE, WRITES, Bool, Int

_CLOCKS = 2**24  # clock entries held at once
_WORK = 2**32  # clock entries computed before giving up
_ROUNDS = 500_000  # wavefronts gone through before giving up
_MAX_ALLOWED = 71


@dataclass(frozen=True)
class Race:
    """Two accesses (rows of `Accesses`) to one cell that nothing orders.

    `parts` is None where that holds at every size; else the two are ends of a chain of messages,
    and (p, q) the places of the chunk in them: they race with messages of m chunks exactly if
    p // m > q // m. `most` is the largest such m.
    """

    first: int
    second: int
    cell: int
    parts: tuple[int, int] | None
    most: int

    def at(self, allowed: int) -> bool:
        """Whether it is a race with messages of at most `allowed` chunks."""
        return self.parts is None or self.parts[0] // allowed > self.parts[1] // allowed


@dataclass(frozen=True, eq=False)
class Races:
    """What was found: overlaps (operations that read what they write elsewhere), races, whether
    the search was given up, and how many pairs were looked at."""

    overlaps: Int
    races: tuple[Race, ...]
    complete: bool
    pairs: int


def overlapping(code: Code, found: Accesses) -> Int:
    """Operations whose source and target overlap without being the same chunks.

    Their threads read and write the overlap in an order that nobody decides.
    """
    rows = np.flatnonzero((code.count > 1) & READS_SOURCE[code.kind] & WRITES[code.kind])
    begin = found.begin[rows]
    apart = np.abs(found.source[begin] - found.target[begin])
    wrong: Int = rows[(apart > 0) & (apart < code.count[rows])]
    return wrong


def find_races(code: Code, order: Order, found: Accesses) -> Races:
    """Races of a program whose precedence graph runs through."""
    position = np.empty(code.operations, dtype=np.int64)
    position[order.order] = np.arange(code.operations)
    reading = np.flatnonzero(found.source >= 0)
    writing = np.flatnonzero(found.target >= 0)
    access = np.concatenate((reading, writing))
    cell = np.concatenate((found.source[reading], found.target[writing]))
    span = max(code.operations, 1)
    key = (cell * span + position[found.operation[access]]) * 2
    key[len(reading) :] += 1
    by = np.argsort(key)
    earlier, later = conflicts(cell[by], by >= len(reading))
    a, b = access[by[earlier]], access[by[later]]
    one, two = found.operation[a], found.operation[b]
    other = code.block[one] != code.block[two]
    a, b, one, two = a[other], b[other], one[other], two[other]
    pairs = len(a)
    open_rows = np.flatnonzero(~_waited(code, one, two))
    a, b, one, two = a[open_rows], b[open_rows], one[open_rows], two[open_rows]
    ordered, complete = _ordered(code, order, one, two)
    rows = np.flatnonzero(~ordered)
    most = np.full(len(rows), _MAX_ALLOWED)
    along = np.zeros(len(rows), dtype=np.bool_)
    p = q = np.zeros(len(rows), dtype=np.int64)
    if len(rows):
        chain, link = _chains(code)
        along = (chain[one[rows]] == chain[two[rows]]) & (link[one[rows]] < link[two[rows]])
        p, q = found.part[a[rows]], found.part[b[rows]]
        sizes = np.arange(1, _MAX_ALLOWED + 1)
        apart = (p[:, None] // sizes) > (q[:, None] // sizes)
        largest = np.where(apart.any(axis=1), _MAX_ALLOWED - np.argmax(apart[:, ::-1], axis=1), 0)
        most = np.where(along, largest, most)
    races = tuple(
        Race(
            int(a[row]),
            int(b[row]),
            _cell(found, int(a[row]), int(b[row])),
            (int(p[k]), int(q[k])) if along[k] else None,
            int(most[k]),
        )
        for k, row in enumerate(rows.tolist())
        if most[k] > 0
    )
    return Races(overlapping(code, found), races if complete else (), complete, pairs)


def _cell(found: Accesses, a: int, b: int) -> int:
    """The cell on which two accesses conflict."""
    written = int(found.target[b])
    if written >= 0 and written in (int(found.source[a]), int(found.target[a])):
        return written
    return int(found.target[a])


def _waited(code: Code, one: Int, two: Int) -> Bool:
    """Whether `two`, or an operation before it in its thread block, waits for `one` or later."""
    waiter = np.repeat(np.arange(code.operations), np.diff(code.wait_from))
    real = code.wait_on >= 0
    waiter, on = waiter[real], code.wait_on[real]
    if not len(waiter) or not len(one):
        return np.zeros(len(one), dtype=np.bool_)
    blocks, number = len(code.first) - 1, code.operations
    group = code.block[waiter] * blocks + code.block[on]
    order = np.argsort(group * number + waiter, kind="stable")
    group, waiter, on = group[order], waiter[order], on[order]
    fresh = np.concatenate(([0], np.cumsum(group[1:] != group[:-1])))
    reached = np.maximum.accumulate(fresh * number + on) - fresh * number
    wanted = code.block[two] * blocks + code.block[one]
    at = np.searchsorted(group * number + waiter, wanted * number + two, side="right") - 1
    inside = np.maximum(at, 0)
    found: Bool = (at >= 0) & (group[inside] == wanted) & (reached[inside] >= one)
    return found


def _ordered(code: Code, order: Order, one: Int, two: Int) -> tuple[Bool, bool]:
    """Whether `one` wholly precedes `two`, by clocks of the thread blocks that matter."""
    ordered = np.zeros(len(one), dtype=np.bool_)
    if not len(one):
        return ordered, True
    blocks = np.unique(code.block[one])
    width = max(_CLOCKS // max(code.operations, 1), 1)
    rounds = -(-len(blocks) // width) * len(order.start)
    if len(blocks) * code.operations > _WORK or rounds > _ROUNDS:
        return ordered, False
    for begin in range(0, len(blocks), width):
        chosen = blocks[begin : begin + width]
        whole = _clocks(code, order, chosen)
        rows = np.flatnonzero(np.isin(code.block[one], chosen))
        column = np.searchsorted(chosen, code.block[one[rows]])
        ordered[rows] = whole[two[rows], column] >= one[rows]
    return ordered, True


def _clocks(code: Code, order: Order, blocks: Int) -> npt.NDArray[np.int32]:
    """[operations, blocks] the last operation of each block that wholly precedes an operation.

    `some` also counts what precedes along messages alone, and the operation itself.
    """
    number = code.operations
    some = np.full((number + 1, len(blocks)), -1, dtype=np.int32)
    whole = np.full((number + 1, len(blocks)), -1, dtype=np.int32)
    before = np.arange(number) - 1
    before[code.first[:-1][np.diff(code.first) > 0]] = number
    origin = np.where(code.origin >= 0, code.origin, number)
    waits = np.diff(code.wait_from)
    own = np.full(int(code.block.max(initial=0)) + 1, -1)
    own[blocks] = np.arange(len(blocks))
    starts = order.start.tolist()
    for a, b in itertools.pairwise(starts):
        front = order.order[a:b]
        row = np.maximum(some[before[front]], whole[origin[front]])
        reach = np.maximum(row, some[origin[front]])
        waiting = np.flatnonzero(waits[front])
        if len(waiting):
            size = waits[front[waiting]]
            begin = np.cumsum(size) - size
            rows = np.repeat(code.wait_from[front[waiting]] - begin, size)
            known = some[code.wait_on[rows + np.arange(len(rows))]]
            latest = np.maximum.reduceat(known, begin, axis=0)
            row[waiting] = np.maximum(row[waiting], latest)
            reach[waiting] = np.maximum(reach[waiting], latest)
        whole[front] = row
        column = own[code.block[front]]
        inside = np.flatnonzero(column >= 0)
        reach[inside, column[inside]] = front[inside]
        some[front] = reach
    return whole


def _chains(code: Code) -> tuple[Int, Int]:
    """For each operation the first operation of its chain of messages, and its place in it."""
    number = code.operations
    start = np.arange(number)
    back = np.where(code.origin >= 0, code.origin, start)
    length = (code.origin >= 0).astype(np.int64)
    while True:  # pointer jumping: log2 of the longest chain
        further = back[back]
        if np.array_equal(further, back):
            return back, length
        length = length + length[back]
        back = further

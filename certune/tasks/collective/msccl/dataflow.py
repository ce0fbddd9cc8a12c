"""Symbolic data-flow: which value every cell holds after the program, and how sums were made.

A value is an input chunk of some rank, or a sum node that remembers its two summands. Copies move
value numbers; whether sums are right is decided afterwards (`sums`), exactly.

Operations run front by front in one order that the precedence graph allows. That suffices: the
network is deterministic (see `order`), and where no two conflicting accesses are unordered
(`races`) all allowed orders give every read the same value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certune.tasks.collective.msccl.compile import Code
from certune.tasks.collective.msccl.memory import Memory
from certune.tasks.collective.msccl.order import Order
from certune.tasks.collective.msccl.program import (
    RE,
    READS_SOURCE,
    RECEIVES,
    REDUCES,
    SENDS,
    WRITES,
    Bool,
    Int,
)

UNINITIALISED = -1
_NARROW = 12  # accesses a front below which numpy does not pay


@dataclass(frozen=True, eq=False)
class Accesses:
    """Operations chunk by chunk: access k is chunk `part` of `operation`.

    source, target: cells read and written, -1 where none
    begin:          [operations + 1] the accesses of an operation
    """

    operation: Int
    part: Int
    source: Int
    target: Int
    begin: Int


@dataclass(frozen=True, eq=False)
class Flow:
    """What the program computes.

    final:      [cells] value in each cell after the program
    left, right: [nodes] summands of each sum node; node k is the value `values` + k
    node_access: [nodes] the access (row of `Accesses`) that made the sum
    node_start: nodes by the wavefront that made them
    carried:    [accesses] the value that an access sent, -1 for those that send nothing
    unready:    accesses that read what holds nothing, in running order
    unready_at: the cell that each of them read, or cells and above for a message
    """

    accesses: Accesses
    final: Int
    left: Int
    right: Int
    node_access: Int
    node_start: Int
    carried: Int
    unready: Int
    unready_at: Int


def accesses(code: Code, memory: Memory) -> Accesses:
    """Operations chunk by chunk. All operands must lie in their buffers."""
    program = code.program
    begin = np.concatenate(([0], np.cumsum(code.count)))
    if len(code.count) and int(code.count.min()) == 1 == int(code.count.max()):
        operation = np.arange(code.operations)
        part = np.zeros(code.operations, dtype=np.int64)
    else:
        operation = np.repeat(np.arange(code.operations), code.count)
        part = np.arange(int(begin[-1])) - begin[operation]
    step, kind = code.step[operation], code.kind[operation]
    rank = program.rank[code.block[operation]]
    source = memory.base[rank, program.source[step]] + program.source_offset[step] + part
    target = memory.base[rank, program.target[step]] + program.target_offset[step] + part
    return Accesses(
        operation=operation,
        part=part,
        source=np.where(READS_SOURCE[kind], source, -1),
        target=np.where(WRITES[kind], target, -1),
        begin=begin,
    )


def _running_order(order: Order, reduces: Bool, found: Accesses) -> tuple[Int, Int, Int]:
    """Accesses sorted by front, plain ones before sums; start of each front and of its sums."""
    size = np.diff(found.begin)[order.order]
    total = np.cumsum(size)
    rows = np.repeat(found.begin[order.order] - (total - size), size)
    rows += np.arange(len(rows))
    start = np.concatenate(([0], total))[order.start]
    sums = reduces[rows]
    sums_before = np.concatenate(([0], np.cumsum(sums)))
    sums_in_front = np.diff(sums_before[start])
    fronts = np.repeat(np.arange(len(start) - 1), np.diff(start))
    middle = start[1:] - sums_in_front
    nth_sum = sums_before[:-1] - sums_before[start[fronts]]
    nth_plain = np.arange(len(rows)) - start[fronts] - nth_sum
    at = np.where(sums, middle[fronts] + nth_sum, start[fronts] + nth_plain)
    sorted_rows = np.empty_like(rows)
    sorted_rows[at] = rows
    return sorted_rows, start, middle


def run(code: Code, order: Order, memory: Memory, found: Accesses) -> Flow:
    """Run the program on symbols. `order` must hold every operation (nothing stuck)."""
    kind = code.kind[found.operation]
    total, cells = len(kind), memory.cells
    trash = cells + total
    slot = cells + np.arange(total)
    incoming = np.full(total, -1)
    receives = RECEIVES[kind]
    sender = code.origin[found.operation[receives]]
    incoming[receives] = cells + found.begin[sender] + found.part[receives]
    first = np.where(receives, incoming, found.source)
    second = np.where(kind == RE, found.target, np.where(receives, found.source, -1))
    keep = np.where(found.target >= 0, found.target, trash)
    send = np.where(SENDS[kind], slot, trash)
    rows, start, middle = _running_order(order, REDUCES[kind], found)
    first, second, keep, send = first[rows], second[rows], keep[rows], send[rows]
    state = np.full(trash + 1, UNINITIALISED)
    state[:cells] = memory.initial()
    sums_before = np.concatenate(([0], np.cumsum(REDUCES[kind[rows]])))
    nodes = int(sums_before[-1])
    got = np.empty(total, dtype=np.int64)
    left, right = np.empty(nodes, dtype=np.int64), np.empty(nodes, dtype=np.int64)
    node_start = sums_before[start]
    columns = (first, second, keep, send)
    bounds = (start.tolist(), middle.tolist(), node_start.tolist())
    if len(start) > 1 and total < _NARROW * len(start):
        _narrow(state, columns, bounds, memory.values, (got, left, right))
    else:
        _wide(state, columns, bounds, memory.values, (got, left, right))
    second_got = np.zeros(total, dtype=np.int64)
    sum_rows = np.flatnonzero(REDUCES[kind[rows]])
    second_got[sum_rows] = right
    missing = np.flatnonzero((got == UNINITIALISED) | (second_got == UNINITIALISED))
    unready_at = np.where(got[missing] == UNINITIALISED, first[missing], second[missing])
    return Flow(
        accesses=found,
        final=state[:cells].copy(),
        left=left,
        right=right,
        node_access=rows[sum_rows],
        node_start=node_start,
        carried=state[cells:trash].copy(),
        unready=rows[missing],
        unready_at=unready_at,
    )


def _wide(
    state: Int,
    columns: tuple[Int, Int, Int, Int],
    bounds: tuple[list[int], list[int], list[int]],
    values: int,
    results: tuple[Int, Int, Int],
) -> None:
    first, second, keep, send = columns
    start, middle, nodes = bounds
    got, left, right = results
    fresh = np.arange(values, values + len(left))
    for front in range(len(start) - 1):
        a, b, c = start[front], middle[front], start[front + 1]
        # All reads of a front come before its writes; its operations are unordered.
        read = state[first[a:c]]
        got[a:c] = read
        if b < c:
            begin, end = nodes[front], nodes[front + 1]
            left[begin:end] = read[b - a :]
            right[begin:end] = state[second[b:c]]
            read[b - a :] = fresh[begin:end]
        state[keep[a:c]] = read
        state[send[a:c]] = read


def _narrow(
    state: Int,
    columns: tuple[Int, Int, Int, Int],
    bounds: tuple[list[int], list[int], list[int]],
    values: int,
    results: tuple[Int, Int, Int],
) -> None:
    """The same for programs with few operations a front."""
    cells: list[int] = state.tolist()
    first, second, keep, send = (column.tolist() for column in columns)
    start, middle, nodes = bounds
    got: list[int] = []
    left: list[int] = []
    right: list[int] = []
    for front in range(len(start) - 1):
        a, b, c = start[front], middle[front], start[front + 1]
        reads = [cells[first[row]] for row in range(a, c)]
        got.extend(reads)
        if b < c:
            left.extend(reads[b - a :])
            right.extend([cells[second[row]] for row in range(b, c)])
            reads[b - a :] = range(values + nodes[front], values + nodes[front + 1])
        for row in range(a, c):
            cells[keep[row]] = cells[send[row]] = reads[row - a]
    state[:] = cells
    for column, filled in zip(results, (got, left, right), strict=True):
        column[:] = filled

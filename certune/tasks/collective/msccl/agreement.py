"""Whether all ranks add in the same order, so that their results are the same bits.

Floating-point addition is commutative but not associative. Two ranks get the same bits for a
chunk exactly if their sums are the same expression up to swapping the two sides of a sum, for
inputs on which the order matters. Expressions are compared exactly: equal ones get equal numbers,
bottom up.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from certune.tasks.collective.msccl.dataflow import Flow
from certune.tasks.collective.msccl.memory import REDUCING, Memory
from certune.tasks.collective.msccl.program import Int

_NARROW = 12  # sums a level below which numpy does not pay
_SHOWN = 24  # ranks up to which an expression is spelled out


@dataclass(frozen=True)
class Difference:
    """A chunk that two ranks add in different orders: cells and expressions of both."""

    chunk: int
    ranks: tuple[int, int]
    expressions: tuple[str, str]


@dataclass(frozen=True)
class Agreement:
    """How a reducing collective adds.

    difference: a chunk on which ranks differ; None if all agree
    chunks:     number of chunks on which ranks differ
    uniform:    whether all chunks are added in the same order of ranks. If not, the bits of an
                element depend on the chunk it falls in, and so on the size of the buffer.
    """

    difference: Difference | None
    chunks: int
    uniform: bool


def agreement(flow: Flow, memory: Memory) -> Agreement | None:
    """How a program adds that meets its postcondition; None where nothing is added."""
    if memory.kind not in REDUCING or memory.ranks == 1:
        return None
    number = _numbers(flow, memory)
    cell, chunk = memory.wanted()
    value = flow.final[cell]
    expression = number[value]
    by = np.argsort(chunk, kind="stable")
    chunk, expression, value, cell = chunk[by], expression[by], value[by], cell[by]
    same = chunk[1:] == chunk[:-1]
    differs = np.flatnonzero(same & (expression[1:] != expression[:-1]))
    uniform = bool(np.all(expression == expression[0]))
    if not len(differs):
        return Agreement(None, 0, uniform)
    at = int(differs[0])
    pair = (at, at + 1)
    first, second = (
        (memory.locate(int(cell[row]))[0], spell(flow, memory, int(value[row]))) for row in pair
    )
    return Agreement(
        Difference(int(chunk[at]), (first[0], second[0]), (first[1], second[1])),
        len(np.unique(chunk[differs])),
        uniform,
    )


def _numbers(flow: Flow, memory: Memory) -> Int:
    """[values and nodes] equal numbers for equal expressions over ranks."""
    values, nodes = memory.values, len(flow.left)
    number = np.concatenate(
        (np.repeat(np.arange(memory.ranks), memory.inputs), np.zeros(nodes, int))
    )
    height = np.zeros(values + nodes, dtype=np.int64)
    starts = flow.node_start.tolist()
    left, right = flow.left, flow.right
    fronts = [(a, b) for a, b in itertools.pairwise(starts) if a < b]
    for a, b in fronts:
        height[values + a : values + b] = np.maximum(height[left[a:b]], height[right[a:b]]) + 1
    order = np.argsort(height[values:], kind="stable")
    edges = np.flatnonzero(np.diff(height[values:][order], prepend=0, append=-1)).tolist()
    fresh = memory.ranks
    if nodes < _NARROW * len(edges):
        return _numbers_one_by_one(number, flow, values)
    for a, b in itertools.pairwise(edges):
        level = order[a:b]
        x, y = number[left[level]], number[right[level]]
        low, high = np.minimum(x, y), np.maximum(x, y)
        _, which = np.unique(low * (fresh + 1) + high, return_inverse=True)
        number[values + level] = fresh + which
        fresh += int(which.max()) + 1
    return number


def _numbers_one_by_one(number: Int, flow: Flow, values: int) -> Int:
    """The same for programs with few sums at a time."""
    names: list[int] = number[:values].tolist()
    known: dict[tuple[int, int], int] = {}
    fresh = max(names, default=0) + 1
    for left, right in zip(flow.left.tolist(), flow.right.tolist(), strict=True):
        x, y = names[left], names[right]
        names.append(known.setdefault((min(x, y), max(x, y)), fresh + len(known)))
    return np.array(names, dtype=np.int64)


def spell(flow: Flow, memory: Memory, value: int) -> str:
    """A sum as people write it, in ranks: ``((0 + 1) + 2)``; shortened for many ranks."""
    values = memory.values
    out: list[str] = []
    stack: list[int | str] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            out.append(item)
        elif item < 0:
            out.append("?")
        elif item < values:
            out.append(str(memory.name_value(item)[0]))
        elif len(out) > 5 * _SHOWN:
            out.append("…")
        else:
            node = item - values
            stack.extend((")", int(flow.right[node]), " + ", int(flow.left[node]), "("))
    text = "".join(out)
    return text if len(text) <= 400 else text[:200] + " … " + text[-100:]

"""Whether sums are right: each contribution exactly once, by exact sets of ranks.

A sum node holds contributions of one group (the summands of one result) as a set of ranks, one
bit a rank. Adding values of two groups, adding a contribution that is already in, or adding what
was never written makes a value that no further operation can make right; such values are marked
with the node where it happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.msccl.dataflow import UNINITIALISED, Flow
from certune.tasks.collective.msccl.memory import Memory
from certune.tasks.collective.msccl.program import Int

Sets = npt.NDArray[np.uint64]
Fault: TypeAlias = Literal["mixed", "twice", "uninitialised"]

_NARROW = 12  # sums a front below which numpy does not pay
_BATCH_BYTES = 2**29  # sets that are held at once; groups are independent of each other


@dataclass(frozen=True, eq=False)
class Sums:
    """The sum nodes of a flow, judged.

    group:    [nodes] the group of each node's first summand, -1 for uninitialised ones
    size:     [nodes] number of distinct ranks in it
    culprit:  [nodes] the node where it went wrong, -1 for right ones
    twice, mixed: nodes that add a contribution twice, or two groups, themselves
    """

    group: Int
    size: Int
    culprit: Int
    twice: Int
    mixed: Int

    def fault(self, node: int) -> Fault:
        """Why a culprit node is wrong."""
        if np.any(self.twice == node):
            return "twice"
        return "mixed" if np.any(self.mixed == node) else "uninitialised"


def judge(flow: Flow, memory: Memory) -> Sums:
    """Sets of ranks of all sum nodes, and which nodes are wrong."""
    nodes, values = len(flow.left), memory.values
    groups = np.concatenate((memory.groups(), np.full(nodes, -1), [-1]))
    culprit = np.full(values + nodes + 1, -1)
    own = np.arange(nodes)
    mixed = np.zeros(nodes, dtype=np.bool_)
    fronts = [(a, b) for a, b in zip(flow.node_start[:-1].tolist(), flow.node_start[1:].tolist(),
                                     strict=True) if a < b]  # fmt: skip
    fronts = _spread(fronts, flow, values)
    if nodes < _NARROW * len(fronts) and nodes * memory.ranks <= 8 * _BATCH_BYTES:
        return _one_by_one(flow, memory)
    for a, b in fronts:
        left, right = flow.left[a:b], flow.right[a:b]  # UNINITIALISED indexes the last entry
        unready = (left == UNINITIALISED) | (right == UNINITIALISED)
        inherited = np.maximum(culprit[left], culprit[right])
        mixed[a:b] = (groups[left] != groups[right]) & ~unready & (inherited < 0)
        wrong = np.where(unready | mixed[a:b], own[a:b], inherited)
        culprit[values + a : values + b] = wrong
        groups[values + a : values + b] = groups[left]
    group = groups[values : values + nodes]
    size = np.zeros(nodes, dtype=np.int64)
    twice = np.zeros(nodes, dtype=np.bool_)
    words = -(-memory.ranks // 64)
    rows = max(_BATCH_BYTES // (8 * words), 1)
    rank_of = np.repeat(np.arange(memory.ranks), memory.inputs)
    if nodes <= rows:
        _sets(flow, own, fronts, rank_of, words, size, twice)
    else:
        for chosen in _batches(group, rows):
            _sets(flow, chosen, fronts, rank_of, words, size, twice)
    twice &= culprit[values : values + nodes] < 0
    if twice.any():
        for a, b in fronts:  # what holds a double contribution is wrong as well
            left, right = flow.left[a:b], flow.right[a:b]
            before = culprit[values + a : values + b]
            inherited = np.maximum(culprit[left], culprit[right])
            wrong = np.where(twice[a:b] & (inherited < 0), own[a:b], inherited)
            culprit[values + a : values + b] = np.where(before >= 0, before, wrong)
        twice &= culprit[values : values + nodes] == own
    return Sums(
        group=group,
        size=size,
        culprit=culprit[values : values + nodes],
        twice=np.flatnonzero(twice),
        mixed=np.flatnonzero(mixed),
    )


def _one_by_one(flow: Flow, memory: Memory) -> Sums:
    """The same for programs with few sums at a time; a set is an integer here."""
    values = memory.values
    groups = memory.groups().tolist()
    sets = [1 << rank for rank in np.repeat(np.arange(memory.ranks), memory.inputs).tolist()]
    culprits = [-1] * values
    twice: list[int] = []
    mixed: list[int] = []
    pairs = zip(flow.left.tolist(), flow.right.tolist(), strict=True)
    for node, (left, right) in enumerate(pairs):
        if left < 0 or right < 0:
            culprit = node
        else:
            culprit = max(culprits[left], culprits[right])
            if culprit < 0 and groups[left] != groups[right]:
                culprit = node
                mixed.append(node)
            elif culprit < 0 and sets[left] & sets[right]:
                culprit = node
                twice.append(node)
        culprits.append(culprit)
        groups.append(groups[left] if left >= 0 else -1)
        sets.append(sets[left] | sets[right] if left >= 0 and right >= 0 else 0)
    return Sums(
        group=np.array(groups[values:], dtype=np.int64),
        size=np.array([held.bit_count() for held in sets[values:]], dtype=np.int64),
        culprit=np.array(culprits[values:], dtype=np.int64),
        twice=np.array(twice, dtype=np.int64),
        mixed=np.array(mixed, dtype=np.int64),
    )


def _spread(fronts: list[tuple[int, int]], flow: Flow, values: int) -> list[tuple[int, int]]:
    """Join fronts whose nodes do not depend on each other, so that fewer are looped over."""
    if not fronts:
        return fronts
    newest = np.maximum(flow.left, flow.right) - values
    joined: list[tuple[int, int]] = []
    begin, end = fronts[0]
    for a, b in fronts[1:]:
        if int(newest[a:b].max()) < begin:
            end = b
        else:
            joined.append((begin, end))
            begin, end = a, b
    joined.append((begin, end))
    return joined


def _batches(group: Int, rows: int) -> list[Int]:
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group + 1)
    batches: list[Int] = []
    begin = end = 0
    for size in sizes.tolist():
        if end > begin and end + size - begin > rows:
            batches.append(np.sort(order[begin:end]))
            begin = end
        end += size
    batches.append(np.sort(order[begin:end]))
    return batches


def _sets(
    flow: Flow,
    chosen: Int,
    fronts: list[tuple[int, int]],
    rank_of: Int,
    words: int,
    size: Int,
    twice: npt.NDArray[np.bool_],
) -> None:
    """Fill `size` and `twice` for the chosen nodes, which must be whole groups."""
    values = len(rank_of)
    sets: Sets = np.zeros((len(chosen) + 1, words), dtype=np.uint64)
    bit = np.left_shift(np.uint64(1), (rank_of % 64).astype(np.uint64))
    word = rank_of // 64
    whole = len(chosen) == len(flow.left)
    row_of = None if whole else np.full(len(flow.left), len(chosen))
    if row_of is not None:
        row_of[chosen] = np.arange(len(chosen))

    def operand(value: Int) -> Sets:
        node = np.maximum(value - values, 0)
        rows = node if row_of is None else row_of[node]
        found: Sets = sets[np.where(value >= values, rows, len(chosen))]
        plain = np.flatnonzero((value >= 0) & (value < values))
        found[plain, word[value[plain]]] = bit[value[plain]]
        return found

    cuts = np.searchsorted(chosen, [edge for front in fronts for edge in front]).tolist()
    for begin, end in zip(cuts[::2], cuts[1::2], strict=True):
        if begin == end:
            continue
        nodes = slice(begin, end) if whole else chosen[begin:end]
        left, right = operand(flow.left[nodes]), operand(flow.right[nodes])
        twice[nodes] = np.any(left & right, axis=1)
        sets[begin:end] = left | right
    size[chosen] = np.bitwise_count(sets[:-1]).sum(axis=1)

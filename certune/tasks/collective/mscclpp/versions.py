"""What a rank holds of a chunk, one value after the other, and the steps that follow from it.

A native schedule keeps one value for each (rank, chunk). The values of a launch are put in such an
order where there is one: a sum follows the one of its operands that is used otherwise, too, and
all others are what was added to it. Every send then reads one version and writes the next; its
step follows from who must come before whom.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from certune.core import InvalidInput
from certune.tasks.collective.mscclpp.provenance import MIXED, Values

_NEVER = 2**62


@dataclass
class Version:
    """A value that a rank holds of a chunk: the sends that make it, and those that read it."""

    rank: int
    chunk: int
    adds: bool
    writers: list[int] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)


def _two(values: Values, node: int) -> InvalidInput:
    return InvalidInput(
        f"rank {values.rank[node]} keeps two values of chunk {values.chunk[node]} at a time, and "
        "a schedule keeps one",
        place="plan",
    )


@dataclass(frozen=True)
class _Uses:
    """Who uses each node: sums (after joining those used once), transfers; terms of each sum."""

    sums: dict[int, list[int]]
    sent: dict[int, list[int]]
    terms: dict[int, tuple[int, ...]]


def _uses(values: Values, chosen: Sequence[int]) -> _Uses:
    sums: dict[int, list[int]] = defaultdict(list)
    sent: dict[int, list[int]] = defaultdict(list)
    for node in chosen:
        if values.origin[node] >= 0:
            sent[values.origin[node]].append(node)
        for term in set(values.operands[node]):
            sums[term].append(node)
    terms: dict[int, tuple[int, ...]] = {}
    ranks = max(values.rank) + 1
    for node in chosen:
        if not values.operands[node]:
            continue
        joined: list[int] = []
        for term in values.operands[node]:
            once = len(sums[term]) == 1 and not sent[term] and term not in values.wanted
            joined += terms.pop(term) if term in terms and once else (term,)
        if len(joined) > ranks:
            raise InvalidInput(
                f"rank {values.rank[node]} adds a contribution to chunk {values.chunk[node]} twice",
                place="plan",
            )
        terms[node] = tuple(joined)
    sums = defaultdict(list)
    for node, listed in terms.items():
        for term in set(listed):
            sums[term].append(node)
    return _Uses(sums, sent, terms)


def chains(values: Values, chosen: Sequence[int]) -> list[list[Version]]:
    """The versions of each (rank, chunk) in order, the first without writers if it is an input.

    Raises:
        InvalidInput: a rank keeps two values of a chunk, or adds different chunks.
    """
    uses = _uses(values, chosen)
    following: dict[int, int] = {}  # node → the sum that is made by adding to it
    added: set[int] = set()
    for node, listed in uses.terms.items():
        if values.chunk[node] == MIXED:
            raise InvalidInput(
                f"rank {values.rank[node]} adds values of different chunks", place="plan"
            )
        kept = [
            term
            for term in listed
            if values.origin[term] < 0
            or uses.sent[term]
            or term in values.wanted
            or len(uses.sums[term]) > 1
        ]
        if len(kept) > 1:
            raise _two(values, kept[1])
        base = kept[0] if kept else min(listed)
        if base in following:
            raise _two(values, base)
        following[base] = node
        added.update(term for term in listed if term != base)
    heads: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for node in chosen:
        if values.operands[node] or node in added:
            continue
        when = min((*uses.sent[node], *uses.sums[node]), default=-1)
        if values.origin[node] < 0:
            when = -1
        elif when < 0:
            when = _NEVER if node in values.wanted else node
        heads[values.rank[node], values.chunk[node]].append((when, node))
    result = []
    for (rank, chunk), listed_heads in heads.items():
        chain = []
        for _, head in sorted(listed_heads):
            arrived = [head] if values.origin[head] >= 0 else []
            chain.append(Version(rank, chunk, False, arrived, uses.sent[head]))
            node = head
            while node in following:
                base, node = node, following[node]
                writers = [term for term in uses.terms[node] if term != base]
                chain.append(Version(rank, chunk, True, writers, uses.sent[node]))
        result.append(chain)
    return result

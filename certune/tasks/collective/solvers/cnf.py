"""Clauses: a builder with constants, counting, and the canonical DIMACS text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from certune.core import Query

TRUE: Final = 2**62
"""A literal that always holds; `-TRUE` never does. Neither reaches the text."""

FALSE: Final = -TRUE


class TooLarge(Exception):
    """More clauses than were allowed."""


class Cnf:
    """A growing set of clauses over variables 1, 2, …; literals are signed variables.

    `most` limits the clauses; the one beyond raises `TooLarge`.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.variables = 0
        self.clauses: list[tuple[int, ...]] = []

    def new(self) -> int:
        """A fresh variable."""
        self.variables += 1
        return self.variables

    def add(self, *literals: int) -> None:
        """Require one of `literals`, constants among them being resolved."""
        if TRUE not in literals:
            self.clauses.append(tuple(x for x in literals if x != FALSE))
            if self.most is not None and len(self.clauses) > self.most:
                raise TooLarge(f"more than {self.most} clauses")

    def at_most_one(self, literals: Sequence[int]) -> None:
        """Require that at most one of `literals` holds.

        Pairwise for a few, else in groups of four beside one auxiliary variable each.
        """
        while len(literals) > 6:
            group, carried = literals[:4], self.new()
            for literal in group:
                self.add(-literal, carried)
            self._pairwise(group)
            literals = [*literals[4:], carried]
        self._pairwise(literals)

    def _pairwise(self, literals: Sequence[int]) -> None:
        for one, other in combinations(literals, 2):
            self.add(-one, -other)

    def at_least(self, literals: Sequence[int], counts: Sequence[int]) -> dict[int, int]:
        """For each of `counts` a literal that must hold when so many of `literals` hold.

        A totalizer (Bailleux and Boufkhad, CP 2003) in the one direction that upper bounds
        need, cut off at the largest count; only the counts asked for exist at its root.
        """
        wanted = {count for count in counts if 1 <= count <= len(literals)}
        if not wanted:
            return {}
        if len(literals) == 1:
            return {1: literals[0]}
        half, largest = len(literals) // 2, max(wanted)
        left = self.at_least(literals[:half], range(1, min(half, largest) + 1))
        right = self.at_least(literals[half:], range(1, min(len(literals) - half, largest) + 1))
        sums = {count: self.new() for count in sorted(wanted)}
        left[0] = right[0] = TRUE
        for i, a in sorted(left.items()):
            for j, b in sorted(right.items()):
                if i + j in sums:
                    self.add(sums[i + j], -a, -b)
        return sums

    def ordered(self, first: Sequence[int], second: Sequence[int]) -> None:
        """Require that `first` is not before `second` in lexicographic order, FALSE before TRUE."""
        equal = TRUE
        for position, (a, b) in enumerate(zip(first, second, strict=True)):
            self.add(-equal, a, -b)
            if position + 1 < len(first):
                still = self.new()
                self.add(-equal, -a, -b, still)
                self.add(-equal, a, b, still)
                equal = still

    def query(self) -> Query:
        """The clauses as DIMACS, in the order in which they were added."""
        lines = [f"p cnf {self.variables} {len(self.clauses)}\n"]
        lines += [" ".join(map(str, (*clause, 0))) + "\n" for clause in self.clauses]
        return Query("dimacs", "".join(lines).encode())

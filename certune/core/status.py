"""Verdicts ordered by honesty."""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """What is known of a claim: ``proved > tested > unknown > refuted > invalid``.

    proved: shown for every case that the claim speaks of. tested: no failure found among the
    cases tried. unknown: neither shown nor refuted within the limits. refuted: a counterexample
    exists. invalid: the candidate does not even parse or elaborate.
    """

    PROVED = "proved"
    TESTED = "tested"
    UNKNOWN = "unknown"
    REFUTED = "refuted"
    INVALID = "invalid"

    @property
    def rank(self) -> int:
        """4 for proved down to 0 for invalid."""
        return _RANK[self]

    def __ge__(self, other: Status) -> bool:
        return self.rank >= other.rank

    def __gt__(self, other: Status) -> bool:
        return self.rank > other.rank

    def __le__(self, other: Status) -> bool:
        return self.rank <= other.rank

    def __lt__(self, other: Status) -> bool:
        return self.rank < other.rank


_RANK = {status: rank for rank, status in enumerate(reversed(Status))}

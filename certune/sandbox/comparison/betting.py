"""Betting on a coin: an exact sequential test of "it wins at most half of the time".

A stake of 1 is bet, round after round, on the next win. If wins come with a probability of at
most one half given all that was seen before, the wealth is a non-negative supermartingale, and by
Ville's inequality (1939) it ever reaches 1/error with a probability of at most `error`. One may
therefore look after every round and stop whenever one likes.

The bets are those of a player who holds every win probability in (1/2, 1) for equally likely and
learns by Bayes' rule (the method of mixtures: Robbins 1970; betting: Waudby-Smith and Ramdas
2024). Their wealth after `wins` of `rounds` depends on these two counts alone, in whichever order
they came:

    wealth = 2 · 2^rounds · integral of p^wins (1-p)^(rounds-wins) over p from 1/2 to 1
           = sum of C(rounds+1, k) for k = 0 … wins, over (rounds+1) · C(rounds, wins)

It is computed in integers. That it depends on counts alone is what makes the interval of the
median a matter of order statistics.
"""

from __future__ import annotations

from bisect import insort
from fractions import Fraction
from functools import cache
from math import comb, inf

LONGEST = 1000  # rounds


def wealth(wins: int, rounds: int) -> Fraction:
    """What a stake of 1 has become after `wins` of `rounds`, exactly.

    Raises:
        ValueError: counts that cannot be, or more than `LONGEST` rounds.
    """
    if not 0 <= wins <= rounds <= LONGEST:
        raise ValueError(f"{wins} wins of {rounds} rounds; at most {LONGEST} rounds are counted")
    total = sum(comb(rounds + 1, k) for k in range(wins + 1))
    return Fraction(total, (rounds + 1) * comb(rounds, wins))


@cache
def wins_needed(rounds: int, error: float) -> int | None:
    """The fewest wins of `rounds` with which the wealth is 1/`error`; None where none suffice.

    Raises:
        ValueError: an error outside (0, 1), or more than `LONGEST` rounds.
    """
    if not 0 < error < 1:
        raise ValueError(f"an error of {error} is not between 0 and 1")
    goal = 1 / Fraction(error)
    if wealth(rounds, rounds) < goal:
        return None
    low, high = 0, rounds  # the wealth grows with the wins
    while low < high:
        middle = (low + high) // 2
        if wealth(middle, rounds) >= goal:
            high = middle
        else:
            low = middle + 1
    return low


def fewest_rounds(error: float) -> int:
    """How many rounds it takes at least, all of them won.

    Raises:
        ValueError: an error outside (0, 1), or one that `LONGEST` rounds cannot reach.
    """
    rounds = 1
    while wins_needed(rounds, error) is None:
        rounds += 1
    return rounds


class MedianInterval:
    """Where the median of a sequence lies, at any time; wrong on each side for `error` at most.

    Two players bet against every value m at once, one that the next observation lies above m,
    one that it lies below. `low` is the supremum of the m against which the first was ever rich,
    `high` the infimum of those against which the second was (infinite while there are none). So
    "`low` > m" is the test that the median is above m, at `error` and at any stopping time.

    Observations that equal m count for neither player.
    """

    def __init__(self, error: float) -> None:
        self.error = error
        self.low, self.high = -inf, inf
        self._latest = (-inf, inf)
        self._sorted: list[float] = []

    def add(self, value: float) -> None:
        """Take the next observation, in the order in which they came.

        Raises:
            ValueError: no number, or more observations than `LONGEST`.
        """
        if value != value:
            raise ValueError("an observation must be a number")
        insort(self._sorted, value)
        rounds = len(self._sorted)
        needed = wins_needed(rounds, self.error)
        if needed is None:
            return
        # `needed` observations lie above every m below the first of these, below the other.
        self._latest = (self._sorted[rounds - needed], self._sorted[needed - 1])
        self.low = max(self.low, self._latest[0])
        self.high = min(self.high, self._latest[1])

    @property
    def interval(self) -> tuple[float, float]:
        """The intersection over all times, or the latest alone where that is empty.

        It is empty when no single median explains what was seen.
        """
        return (self.low, self.high) if self.low <= self.high else self._latest

    @property
    def middle(self) -> float:
        """The median of what was seen; 0 before anything was."""
        seen, count = self._sorted, len(self._sorted)
        return (seen[(count - 1) // 2] + seen[count // 2]) / 2 if seen else 0.0

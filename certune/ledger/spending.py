"""How the error that a project allows itself is spent over its measured comparisons."""

from __future__ import annotations

import math

DEFAULT_ERROR = 0.01


def share(total: float, number: int) -> float:
    """The error of comparison `number` (from 1): total · 6 / (π² number²).

    The shares of any number of comparisons sum to less than `total`, so by the union bound
    `total` is the probability that a single one of all that are ever made under a specification
    accepts wrongly, in whichever way later candidates depend on earlier results. A share that is
    a hundred times smaller takes about eight more pairs of processes, as a bet that is won
    every time nearly doubles at each.
    """
    return total * 6 / (math.pi * number) ** 2

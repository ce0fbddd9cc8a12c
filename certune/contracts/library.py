"""Functions of the specification language that Python does not have itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def permutation(xs: Sequence[int], ys: Sequence[int]) -> bool:
    """Whether both hold the same numbers, each equally often."""
    return Counter(xs) == Counter(ys)


def implies(condition: bool, consequence: bool) -> bool:
    """``not condition or consequence``, with both evaluated."""
    return not condition or consequence

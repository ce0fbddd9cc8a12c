"""What a session may spend. Each limit has its own owner: attempts and seconds are counted by
the session, tokens and money by the agent that reports its usage with each proposal."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certune.core.errors import InvalidInput


@dataclass(frozen=True)
class Spent:
    """What a session has spent so far; the sum over its recorded trials and its running time."""

    attempts: int = 0
    seconds: float = 0.0
    tokens: int = 0
    money: Fraction = Fraction(0)


@dataclass(frozen=True)
class Remaining:
    """What is left of each limit, never below zero; None where there is no limit."""

    attempts: int | None = None
    seconds: float | None = None
    tokens: int | None = None
    money: Fraction | None = None


@dataclass(frozen=True)
class Budget:
    """Limits of a session; None is no limit."""

    attempts: int | None = None
    seconds: float | None = None
    tokens: int | None = None
    money: Fraction | None = None

    def __post_init__(self) -> None:
        for name in ("attempts", "seconds", "tokens", "money"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidInput(f"{name} must be positive", place="budget")

    def exhausted(self, spent: Spent) -> str | None:
        """The name of the first limit that is reached, or None."""
        for name in ("attempts", "seconds", "tokens", "money"):
            limit = getattr(self, name)
            if limit is not None and getattr(spent, name) >= limit:
                return name
        return None

    def remaining(self, spent: Spent) -> Remaining:
        """What is left of each limit."""

        def left(name: str) -> Any:
            limit = getattr(self, name)
            return None if limit is None else max(limit - getattr(spent, name), type(limit)(0))

        return Remaining(left("attempts"), left("seconds"), left("tokens"), left("money"))

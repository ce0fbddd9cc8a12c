"""Queries to solvers, as stored and repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

from certune.core.canonical import sha256


@dataclass(frozen=True)
class Query:
    """A question to a solver in a standard language; its bytes are what evidence is about."""

    language: Literal["dimacs", "smtlib2"]
    text: bytes = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return sha256(self.text)


@dataclass(frozen=True)
class Answer:
    """What a solver said: result, solver and version, what it took.

    `model` lists the literals that are true (DIMACS) when the result is ``sat``. `resources`
    is counted in the solver's own unit (conflicts, rlimit), so that it repeats elsewhere.
    """

    result: Literal["sat", "unsat", "unknown"]
    solver: str
    version: str
    resources: int
    seconds: float
    model: tuple[int, ...] | None = field(default=None, repr=False)


class Prover(Protocol):
    """Decides queries. Families call it; it knows no family."""

    def decide(self, query: Query, *, seconds: float) -> Answer:
        """Decide `query` within `seconds` of wall time.

        Running out of time is the answer ``unknown``.

        Raises:
            Unavailable: no solver for this language is installed.
            Crashed: the solver died.
        """
        ...

"""Houdini: of a set of candidate invariants, the largest part that is inductive.

Flanagan and Leino, "Houdini, an annotation assistant for ESC/Java" (FME 2001): all candidates
are assumed together; those that are not established or not kept are thrown out, until nothing
changes. What is left is proven, whatever the candidates were.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from certune.core.status import Status
from certune.tasks.code.solvers.traces import Guess, annotated, lines_of
from certune.verifier.contracts import verify_source
from certune.verifier.contracts.discharge import Memory
from certune.verifier.contracts.pool import Pool
from certune.verifier.contracts.report import FunctionReport, Limits

_ROUNDS = 24
_LIMITS = Limits(source_bytes=4_000_000, lines=200_000)


@dataclass(frozen=True)
class Settled:
    """The guesses that are inductive together, and the function's report with them."""

    kept: tuple[Guess, ...]
    report: FunctionReport | None

    @property
    def proved(self) -> bool:
        """Whether the function is proved with them."""
        return self.report is not None and self.report.status is Status.PROVED


class Houdini:
    """Settles guesses about one function of `source` with one set of solver workers."""

    def __init__(
        self, source: str, function: str, pool: Pool, stopped: Callable[[], bool], deadline: float
    ) -> None:
        self.source = source
        self.function = function
        self.pool = pool
        self.stopped = stopped
        self.deadline = deadline
        self.cache = Memory()

    @property
    def over(self) -> bool:
        """Whether time is up."""
        return self.stopped() or time.monotonic() > self.deadline

    def report(self, guesses: Sequence[Guess], attempts: int) -> FunctionReport | None:
        """What the verifier says of the function with these annotations; no running."""
        limits = replace(_LIMITS, attempts=attempts)
        found = verify_source(
            annotated(self.source, guesses).encode(),
            "program.py",
            limits=limits,
            cache=self.cache,
            only=[self.function],
            pool=self.pool,
            refute=False,
        )
        return next((f for f in found.functions if f.name == self.function), None)

    def settle(self, guesses: Sequence[Guess], attempts: int = 1) -> Settled:
        """Throw out what is not inductive until nothing changes."""
        kept = list(guesses)
        report = None
        for _ in range(_ROUNDS):
            if self.over:
                break
            report = self.report(kept, attempts)
            if report is None or report.status in (Status.PROVED, Status.INVALID):
                break
            at = lines_of(annotated(self.source, kept), kept)
            wrong = {
                at[c.place.line]
                for c in report.open
                if c.place.line in at and not at[c.place.line].measure
            }
            if not wrong:
                break
            kept = [guess for guess in kept if guess not in wrong]
        return Settled(tuple(kept), report)

    def least(self, guesses: Sequence[Guess]) -> tuple[Guess, ...]:
        """Fewer of them with which the function is still proved: halves first, then each."""
        kept = list(guesses)
        size = max(1, len(kept) // 2)
        while size >= 1 and not self.over:
            position = 0
            while position < len(kept) and not self.over:
                fewer = kept[:position] + kept[position + size :]
                report = self.report(fewer, 2)
                if report is not None and report.status is Status.PROVED:
                    kept = fewer
                else:
                    position += size
            size //= 2
        return tuple(kept)

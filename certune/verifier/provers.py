"""One prover for every query language: each query goes to the solver that reads it."""

from __future__ import annotations

from collections.abc import Callable

from certune.core.proof import Answer, Prover, Query


def _never() -> bool:
    return False


class Provers:
    """Sends DIMACS to the SAT prover and SMT-LIB 2 to the SMT prover; loads each when used."""

    def __init__(self, stopped: Callable[[], bool] = _never) -> None:
        """`stopped` is polled while a solver runs; when it is true the answer is `unknown`."""
        self._stopped = stopped
        self._provers: dict[str, Prover] = {}

    def decide(self, query: Query, *, seconds: float) -> Answer:
        """Decide `query` within `seconds` of wall time; see `certune.core.Prover`."""
        if query.language not in self._provers:
            self._provers[query.language] = self._make(query.language)
        return self._provers[query.language].decide(query, seconds=seconds)

    def _make(self, language: str) -> Prover:
        if language == "dimacs":
            from certune.verifier.sat import SatProver

            return SatProver(stopped=self._stopped)
        from certune.verifier.smt import SmtProver

        return SmtProver(stopped=self._stopped)

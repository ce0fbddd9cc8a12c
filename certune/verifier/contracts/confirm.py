"""A second solver's opinion on proved conditions, and proofs repeated from stored texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from certune.core.canonical import Json
from certune.core.proof import Answer, Query
from certune.core.status import Status
from certune.verifier.contracts.discharge import ATTEMPTS, request_of
from certune.verifier.contracts.pool import Pool, Request
from certune.verifier.contracts.report import Condition, Limits, ModuleReport

CVC5_RESOURCES = 100_000


@dataclass(frozen=True)
class Stored:
    """A proved condition as it is kept: where it is from, its text, and how it was decided."""

    function: str
    kind: str
    line: int
    column: int
    digest: str
    setting: str
    resources: int
    version: str


def proved(report: ModuleReport) -> list[Condition]:
    """The proved conditions of all functions, in order."""
    return [c for f in report.functions for c in f.conditions if c.status is Status.PROVED]


def manifest(report: ModuleReport) -> tuple[Stored, ...]:
    """One entry for each proved condition."""
    return tuple(
        Stored(
            c.function,
            c.kind,
            c.place.line,
            c.place.column,
            c.digest,
            c.setting,
            c.answer.resources if c.answer else 0,
            c.answer.version if c.answer else "",
        )
        for c in proved(report)
    )


def texts(report: ModuleReport) -> dict[str, bytes]:
    """The queries' texts by digest, each once: what an evidence store holds."""
    return {c.digest: c.query.text for c in proved(report) if c.query is not None}


@dataclass(frozen=True)
class Repeated:
    """What asking again showed: how many agreed, and the digests of those that did not."""

    asked: int
    agreed: int
    differ: tuple[str, ...]
    solver: str
    version: str

    def as_json(self) -> Mapping[str, Json]:
        """For a certificate or report."""
        return {
            "asked": self.asked,
            "agreed": self.agreed,
            "solver": self.solver,
            "version": self.version,
            "differ": list(self.differ),
        }


def resolve(
    stored: Iterable[Stored],
    store: Mapping[str, bytes],
    pool: Pool,
    limits: Limits | None = None,
) -> Repeated:
    """Ask Z3 again for every stored condition under the setting that decided it.

    A text whose digest is not its name, or that is missing, differs. That the conditions are
    those of a source is another question: `verify_source` makes them anew.

    Raises:
        InfrastructureError: the solver is missing, died or reported an error.
    """
    limits = limits or Limits()
    settings = {a.name: a for a in ATTEMPTS}
    requests: list[Request] = []
    names: list[str] = []
    differ: list[str] = []
    seen: set[str] = set()
    for entry in stored:
        if entry.digest in seen:
            continue
        seen.add(entry.digest)
        text = store.get(entry.digest)
        attempt = settings.get(entry.setting)
        if text is None or attempt is None or Query("smtlib2", text).digest != entry.digest:
            differ.append(entry.digest)
            continue
        requests.append(request_of(Query("smtlib2", text), attempt, limits))
        names.append(entry.digest)
    return _asked(requests, names, differ, pool)


def confirm(
    conditions: Sequence[Condition], pool: Pool, resources: int = CVC5_RESOURCES
) -> Repeated:
    """Ask cvc5 (a pool of it) for the same texts; what it does not decide differs.

    Raises:
        InfrastructureError: cvc5 is missing, died or reported an error.
    """
    queries = {c.digest: c.query for c in conditions if c.query is not None}
    requests = [Request(q, True, resources) for q in queries.values()]
    return _asked(requests, list(queries), [], pool)


def _asked(requests: list[Request], names: list[str], differ: list[str], pool: Pool) -> Repeated:
    replies = pool.ask(requests)
    answers: list[Answer] = [r.answer for r in replies]
    for name, answer in zip(names, answers, strict=True):
        if answer.result != "unsat":
            differ.append(name)
    return Repeated(
        asked=len(names) + len(differ) - sum(a.result != "unsat" for a in answers),
        agreed=sum(a.result == "unsat" for a in answers),
        differ=tuple(differ),
        solver=pool.solver,
        version=answers[0].version if answers else "",
    )

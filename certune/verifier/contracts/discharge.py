"""Claims to answers: a fixed order of attempts, each within solver resources, cached by content."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from certune.core.canonical import sha256
from certune.core.proof import Answer, Query
from certune.core.status import Status
from certune.verifier.contracts import terms as t
from certune.verifier.contracts.pool import OUT_OF_TIME, Pool, Request
from certune.verifier.contracts.prepare import query
from certune.verifier.contracts.report import Condition, Limits
from certune.verifier.contracts.smtlib import Mode, TooLong
from certune.verifier.contracts.state import Claim, Definition


class Cache(Protocol):
    """Answers by the digest of the question and its setting."""

    def get(self, key: str) -> Answer | None:
        """A known answer."""
        ...

    def put(self, key: str, answer: Answer) -> None:
        """Remember an answer that repeats."""
        ...


class Memory:
    """A cache that lives as long as the process, bounded."""

    def __init__(self, most: int = 100_000) -> None:
        self._known: dict[str, Answer] = {}
        self._most = most

    def get(self, key: str) -> Answer | None:
        """A known answer."""
        return self._known.get(key)

    def put(self, key: str, answer: Answer) -> None:
        """Remember an answer."""
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[key] = answer


@dataclass(frozen=True)
class Attempt:
    """One way to ask: which text, which solver, and how many times the basic resources."""

    name: str
    other_mode: bool = False
    instances: bool = False
    simple: bool = True
    mbqi: bool = False
    times: int = 1


_CHUNK = 64  # tasks between two looks at what was spent

# E-matching alone first: since z3 5.3 the default solver eliminates terms that triggers need.
ATTEMPTS = (
    Attempt("ematching"),
    Attempt("instances", instances=True, times=2),
    Attempt("other-words", other_mode=True, instances=True, times=6),
    Attempt("default", instances=True, simple=False, times=10),
    Attempt("mbqi", mbqi=True, times=6),
    Attempt("ematching-long", times=30),
)


@dataclass(frozen=True)
class Task:
    """A claim with the definitions that it may use and the form its words take first."""

    claim: Claim
    definitions: Mapping[str, Definition]
    mode: Mode


@cache
def z3_version() -> str:
    """The installed version of z3-solver; empty where there is none."""
    try:
        return importlib.metadata.version("z3-solver")
    except importlib.metadata.PackageNotFoundError:
        return ""


def setting_key(q: Query, attempt: Attempt, limits: Limits) -> str:
    """What an answer is cached by."""
    parts = (q.digest, repr(attempt), limits.resources, limits.memory_mib, z3_version())
    return sha256(repr(parts).encode())


def request_of(q: Query, attempt: Attempt, limits: Limits, values: tuple[str, ...] = ()) -> Request:
    """The request that an attempt makes."""
    options: dict[str, bool | int] = {}
    if attempt.simple:
        options = {"auto_config": False, "mbqi": attempt.mbqi}
    return Request(q, attempt.simple, limits.resources * attempt.times, options, values)


@dataclass
class Spending:
    """What the questions about one source have cost so far, and those that took too long.

    Known answers count as if they had been asked, so that a cache changes no verdict.
    """

    resources: int = 0
    late: dict[str, Answer] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)


def discharge(
    tasks: Sequence[Task],
    pool: Pool,
    limits: Limits,
    known: Cache | None = None,
    spending: Spending | None = None,
) -> list[Condition]:
    """The conditions, each proved or unknown.

    Raises:
        InfrastructureError: the solver is missing, died or reported an error.
    """
    known = known if known is not None else Memory()
    spending = spending if spending is not None else Spending()
    done: dict[int, Condition] = {}
    first: dict[int, Condition] = {}
    todo = list(range(len(tasks)))
    for attempt in ATTEMPTS[: limits.attempts]:
        for start in range(0, len(todo), _CHUNK):
            part = todo[start : start + _CHUNK]
            for number, condition in _try(tasks, part, attempt, pool, limits, known, spending):
                if condition.status is Status.PROVED:
                    done[number] = condition
                else:
                    first.setdefault(number, condition)
        todo = [n for n in todo if n not in done]
        if not todo:
            break
    return [done.get(n) or first[n] for n in range(len(tasks))]


def _try(
    tasks: Sequence[Task],
    numbers: Sequence[int],
    attempt: Attempt,
    pool: Pool,
    limits: Limits,
    known: Cache,
    spending: Spending,
) -> Iterator[tuple[int, Condition]]:
    """One attempt at some tasks; equal texts are asked once."""
    asked: dict[str, tuple[Query, list[int]]] = {}
    for number in numbers:
        if spending.resources > limits.total_resources:
            yield number, _condition(tasks[number], None, None, "out-of-budget")
            continue
        text = _text(tasks[number], attempt, limits)
        if text is None:
            yield number, _condition(tasks[number], None, None, "too-long")
            continue
        key = setting_key(text, attempt, limits)
        asked.setdefault(key, (text, []))[1].append(number)
    answers = {key: spending.late.get(key) or known.get(key) for key in asked}
    missing = [key for key, answer in answers.items() if answer is None]
    replies = pool.ask([request_of(asked[k][0], attempt, limits) for k in missing])
    for key, reply in zip(missing, replies, strict=True):
        answers[key] = reply.answer
        if reply.why == OUT_OF_TIME:  # which would not repeat
            spending.late[key] = reply.answer
        else:
            known.put(key, reply.answer)
    for key, (text, same) in asked.items():
        answer = answers[key]
        if answer is not None and key not in spending.counted:
            spending.counted.add(key)
            late = key in spending.late
            spending.resources += limits.resources * attempt.times if late else answer.resources
        for number in same:
            yield number, _condition(tasks[number], text, answer, attempt.name)


def _text(task: Task, attempt: Attempt, limits: Limits) -> Query | None:
    mode = task.mode
    if attempt.other_mode:
        if not has_words(task.claim):
            return None
        mode = "int" if mode == "bv" else "bv"
    try:
        return query(
            task.claim,
            task.definitions,
            mode=mode,
            limit=limits.query_bytes,
            instances=attempt.instances,
            extra=attempt.instances,
        )
    except TooLong:
        return None


def has_words(claim: Claim) -> bool:
    """Whether fixed-width values occur."""
    return any(
        s.op in ("w2i", "word", "i2w", "wrap", "inrange")
        for s in t.subterms([claim.goal, *claim.facts])
    )


def _condition(task: Task, text: Query | None, answer: Answer | None, setting: str) -> Condition:
    claim = task.claim
    proved = answer is not None and answer.result == "unsat"
    return Condition(
        function=claim.function,
        kind=claim.kind,
        place=claim.place,
        path=claim.path,
        claim=claim.text,
        status=Status.PROVED if proved else Status.UNKNOWN,
        query=text,
        answer=answer,
        setting=setting,
    )

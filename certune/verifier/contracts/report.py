"""What the verifier says: conditions, counterexamples, one report a function and a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from certune.core.canonical import Json
from certune.core.proof import Answer, Query
from certune.core.status import Status

Kind: TypeAlias = Literal[
    "overflow",
    "conversion",
    "division",
    "shift",
    "index",
    "slice",
    "pop",
    "key",
    "none",
    "precondition",
    "invariant-entry",
    "invariant-kept",
    "assertion",
    "postcondition",
    "bounded",
    "decreases",
]


@dataclass(frozen=True)
class Place:
    """Where something stands: line from 1, column from 1, and the file if it is another one."""

    line: int
    column: int
    file: str = ""

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}:{self.column}" if self.file else f"{self.line}:{self.column}"
        )


@dataclass(frozen=True)
class Finding:
    """Something wrong with a source, and what to do about it. `reason` is a stable word."""

    place: Place
    message: str
    remedy: str = ""
    reason: str = "language"

    def __str__(self) -> str:
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{self.place}: {self.message}{tail}"


@dataclass(frozen=True)
class Condition:
    """One verification condition and what became of it.

    `path` are the branches taken to it, `claim` the source text of what is claimed. `query` is
    the text that was decided (of the attempt that succeeded, else of the first), `setting` the
    attempt's name. `model` are values of variables in which the solver thinks it fails.
    """

    function: str
    kind: Kind
    place: Place
    path: tuple[str, ...]
    claim: str
    status: Status
    query: Query | None = field(default=None, repr=False)
    answer: Answer | None = None
    setting: str = ""
    model: Mapping[str, Json] | None = None

    @property
    def digest(self) -> str:
        """Digest of the query's text; empty where none was asked."""
        return self.query.digest if self.query else ""


@dataclass(frozen=True)
class Step:
    """The values of the variables before a line ran."""

    line: int
    values: Mapping[str, Json]


@dataclass(frozen=True)
class Failure:
    """An input on which running the function breaks something, and how.

    `blames` says whether the program breaks its contract or an annotation is wrong. `steps`
    are the last lines run. Values are JSON; integers beyond 2**53 - 1 are decimal strings.
    """

    function: str
    inputs: Mapping[str, Json]
    kind: str
    place: Place
    claim: str
    blames: Literal["program", "annotation"]
    steps: tuple[Step, ...] = ()

    @property
    def sentence(self) -> str:
        """One sentence that a person and a model can act on."""
        shown = ", ".join(f"{name} = {value}" for name, value in self.inputs.items())
        what = self.kind.replace("-", " ")
        return f"{self.function}({shown}): {what} fails at {self.place}: {self.claim}"


@dataclass(frozen=True)
class FunctionReport:
    """What is known of one function (specification functions and lemmas included)."""

    name: str
    place: Place
    role: Literal["code", "spec", "lemma"]
    status: Status
    conditions: tuple[Condition, ...] = ()
    failure: Failure | None = None
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    partial: bool = False
    calls: tuple[str, ...] = ()
    loops: tuple[int, ...] = ()
    why: str = ""

    @property
    def open(self) -> tuple[Condition, ...]:
        """The conditions that are not proved."""
        return tuple(c for c in self.conditions if c.status is not Status.PROVED)


@dataclass(frozen=True)
class ModuleReport:
    """What is known of a source file and of what it imports (`function.place.file`)."""

    filename: str
    functions: tuple[FunctionReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    trusted: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """Invalid with any finding, else the least status of a function; unknown without any."""
        if self.findings:
            return Status.INVALID
        return min((f.status for f in self.functions), default=Status.UNKNOWN)

    def function(self, name: str) -> FunctionReport:
        """The report of the function `name`; KeyError where there is none."""
        for report in self.functions:
            if report.name == name:
                return report
        raise KeyError(name)

    def diagnostics(self) -> tuple[str, ...]:
        """Lines ``file:line:col: severity: message`` that editors understand."""
        from certune.verifier.contracts.diagnostics import lines

        return lines(self)


@dataclass(frozen=True)
class Limits:
    """What one verification may take; all counted, none by the clock but `seconds`.

    `resources` is Z3's rlimit for the first attempt of a condition, later ones have multiples;
    what is not proved when `total_resources` are spent is unknown.
    `examples` inputs are tried for a counterexample, each of at most `steps` steps. `seconds`
    guards against a solver that ignores its limits: a condition that takes longer is unknown.
    """

    source_bytes: int = 200_000
    lines: int = 5_000
    depth: int = 100
    literal_bits: int = 256
    live_paths: int = 12
    conditions: int = 4_000
    query_bytes: int = 400_000
    resources: int = 400_000
    total_resources: int = 200_000_000
    attempts: int = 6
    memory_mib: int = 2048
    examples: int = 400
    steps: int = 20_000
    seconds: float = 30.0
    workers: int = 2

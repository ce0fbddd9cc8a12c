"""What gives specifications their meaning: families of tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from certune.core.agent import Brief
from certune.core.candidate import Candidate, Payload
from certune.core.measurement import Bound, Comparison, Measurement
from certune.core.obligation import Obligation
from certune.core.proof import Prover
from certune.core.run import Runner
from certune.core.spec import TaskSpec


@dataclass(frozen=True)
class Parameter:
    """A parameter of a task, as people give it: ``-p name=value``."""

    name: str
    help: str
    default: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskInfo:
    """A task that a family offers: its name, one line about it, and its parameters."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    example: str = ""


def _never() -> bool:
    return False


def _nothing(_: bytes) -> None:
    return None


@dataclass(frozen=True)
class Context:
    """What a family may call: a prover, a runner, and whether it has been asked to stop.

    `keep` is given the text of every query that a verdict rests on; with an acceptance the
    session stores them as evidence, by digest. `error` is the probability with which a measured
    comparison may accept wrongly; it is set, and already spent, when `Task.compare` is called.
    """

    prover: Prover | None = None
    runner: Runner | None = None
    stopped: Callable[[], bool] = field(default=_never)
    keep: Callable[[bytes], None] = field(default=_nothing)
    error: float = 0.0


class Solver(Protocol):
    """Built-in, trusted search of a family: yields payloads, and bounds that it has proven.

    The sequence depends on the task alone, never on the clock, so that a session that was
    interrupted continues where it was.
    """

    @property
    def name(self) -> str:
        """A short name, recorded as provenance."""
        ...

    def solve(self, context: Context) -> Iterator[Payload | Bound]:
        """Yield candidates and bounds until the search is exhausted or `context.stopped()`."""
        ...


@dataclass(frozen=True)
class Baseline:
    """What everybody starts from: a named payload."""

    name: str
    payload: Payload


class Task(Protocol):
    """The meaning of one specification."""

    @property
    def spec(self) -> TaskSpec:
        """The specification that this task was built from."""
        ...

    def recognise(self, data: bytes) -> str:
        """The payload format that these bytes seem to be in, told without parsing them."""
        ...

    def elaborate(self, payload: Payload, context: Context) -> Candidate:
        """Turn a hostile payload into a candidate: parse, run a program, complete a sketch.

        Raises:
            InvalidPayload: it does not parse or elaborate; with line and reason.
        """
        ...

    def check(self, candidate: Candidate, context: Context) -> Sequence[Obligation]:
        """Show or refute every obligation on the candidate and on each of its files."""
        ...

    def evaluate(self, candidate: Candidate, context: Context) -> Measurement:
        """The metrics of a candidate that met its obligations."""
        ...

    def compare(
        self, candidate: Candidate, incumbent: Candidate, context: Context
    ) -> Comparison | None:
        """Measure a candidate against the incumbent, at an error of at most `context.error`.

        None where the metrics are exact.
        """
        ...

    def baseline(self) -> Baseline | None:
        """The first incumbent; None for a goal that is a proof."""
        ...

    def bounds(self, context: Context) -> Sequence[Bound]:
        """The bounds that are known before any search."""
        ...

    def solvers(self) -> Sequence[Solver]:
        """Built-in search that needs no key, in the order in which it should run."""
        ...

    def brief(self) -> Brief:
        """What agents are told."""
        ...

    def recheck(self, bound: Bound, context: Context) -> bool:
        """Repeat the evidence of a bound from the specification alone; False refutes it.

        Raises:
            NotRepeatable: the evidence cannot be repeated on this machine.
        """
        ...


class Family(Protocol):
    """Trusted code that gives specifications of one kind their meaning."""

    @property
    def name(self) -> str:
        """The part of a task's name before the slash."""
        ...

    @property
    def semantics(self) -> int:
        """Version of the meaning; a change that could change any verdict raises it."""
        ...

    def tasks(self) -> Sequence[TaskInfo]:
        """The tasks offered."""
        ...

    def spec(self, task: str, parameters: Mapping[str, str]) -> TaskSpec:
        """The specification of ``family/task`` with parameters as given by a user.

        Raises:
            InvalidInput: an unknown task or parameter, or a value out of range.
        """
        ...

    def open(self, spec: TaskSpec) -> Task:
        """The task that a specification describes.

        Raises:
            InvalidInput: parameters that this family does not understand.
            NotRepeatable: a semantics version that this family does not have.
        """
        ...

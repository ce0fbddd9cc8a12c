"""A family small enough to see through: whole numbers, the nearer to a target the better.

A payload is a decimal number. It must be even (the obligation), its cost is its distance from
the target, the baseline is 100, and no cost is below 0 (the bound). Parts can be told to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from certune.core import (
    Baseline,
    Bound,
    Brief,
    Candidate,
    Comparison,
    Context,
    Counterexample,
    File,
    Improve,
    InvalidInput,
    InvalidPayload,
    Measurement,
    Metric,
    NotRepeatable,
    Obligation,
    Payload,
    PayloadFormat,
    Status,
    TaskInfo,
    TaskSpec,
)

COST = Metric("cost", "steps", "lower")
FORMAT = "number"


def spec(target: int = 42, **changes: object) -> TaskSpec:
    values: dict[str, object] = {
        "task": "toy/number",
        "semantics": 1,
        "parameters": {"target": target},
        "goal": Improve(COST),
    }
    return TaskSpec(**(values | changes))  # type: ignore[arg-type]


def payload(number: object) -> Payload:
    return Payload(FORMAT, str(number).encode())


@dataclass
class ToySolver:
    numbers: Sequence[int]
    bound: Bound | None = None
    name: str = "counting"

    def solve(self, context: Context) -> Iterator[Payload | Bound]:
        for number in self.numbers:
            if context.stopped():
                return
            yield payload(number)
        if self.bound is not None:
            yield self.bound


def bound(value: int = 0, **changes: object) -> Bound:
    values: dict[str, object] = {
        "name": "distance",
        "metric": COST,
        "value": Fraction(value),
        "kind": "proven",
        "claim": f"no distance is below {value}",
        "check": "toy/distance",
    }
    return Bound(**(values | changes))  # type: ignore[arg-type]


@dataclass
class ToyTask:
    spec: TaskSpec
    numbers: Sequence[int] = (80, 90, 60, 60, 44, 42)
    known_bounds: Sequence[Bound] = field(default_factory=lambda: (bound(),))
    late_bound: Bound | None = None
    on_check: Callable[[int], None] = lambda number: None
    taken: str = "modelled"
    comparison: Comparison | None = None
    judged: list[int] = field(default_factory=list)

    def recognise(self, data: bytes) -> str:
        return FORMAT

    def elaborate(self, payload: Payload, context: Context) -> Candidate:
        text = payload.data.decode("ascii", "replace").strip()
        if payload.format != FORMAT:
            raise InvalidPayload(f"unknown format {payload.format!r}")
        if not text.isdecimal() or len(text) > 6:
            raise InvalidPayload(f"{text[:20]!r} is no number", place="line 1")
        number = int(text)
        data = str(number).encode()
        double = File("double.txt", str(2 * number).encode())
        return Candidate(payload, File("number.txt", data), (double,), number)

    def check(self, candidate: Candidate, context: Context) -> Sequence[Obligation]:
        number = candidate.value
        self.judged.append(number)
        self.on_check(number)
        even = number % 2 == 0
        return (
            Obligation(
                name="even",
                claim="the number is even",
                method="exhaustive",
                status=Status.PROVED if even else Status.REFUTED,
                check="toy/even",
                counterexample=None if even else Counterexample(f"{number} is odd"),
            ),
        )

    def evaluate(self, candidate: Candidate, context: Context) -> Measurement:
        target = self.spec.parameters["target"]
        assert isinstance(target, int)
        distance = Fraction(abs(candidate.value - target))
        return Measurement(self.taken, {"cost": distance})  # type: ignore[arg-type]

    def compare(
        self, candidate: Candidate, incumbent: Candidate, context: Context
    ) -> Comparison | None:
        return self.comparison

    def baseline(self) -> Baseline | None:
        return Baseline("hundred", payload(100))

    def bounds(self, context: Context) -> Sequence[Bound]:
        return self.known_bounds

    def solvers(self) -> Sequence[ToySolver]:
        return (ToySolver(self.numbers, self.late_bound),)

    def brief(self) -> Brief:
        return Brief(self.spec, "a number near the target", (PayloadFormat(FORMAT, "decimal"),))

    def recheck(self, bound: Bound, context: Context) -> bool:
        return bound.value <= 0


class ToyFamily:
    name = "toy"
    semantics = 1

    def tasks(self) -> Sequence[TaskInfo]:
        return (TaskInfo("toy/number", "a number near a target", ()),)

    def spec(self, task: str, parameters: Mapping[str, str]) -> TaskSpec:
        for name in parameters:
            if name != "target":
                raise InvalidInput(f"unknown parameter {name!r}")
        return spec(int(parameters.get("target", "42")))

    def open(self, spec: TaskSpec) -> ToyTask:
        if spec.semantics != self.semantics:
            raise NotRepeatable("another version")
        return ToyTask(spec)

"""Numbers about candidates, bounds on them, and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

from certune.core.canonical import Json
from certune.core.spec import Metric

Taken: TypeAlias = Literal["modelled", "replayed", "measured"]


@dataclass(frozen=True)
class Measurement:
    """The metrics of one candidate, and how they were taken.

    `values` maps metric names to exact numbers in the metric's unit; `samples` are the raw
    observations of a measured one; `environment` the digest of the machine's fingerprint.
    """

    taken: Taken
    values: Mapping[str, Fraction]
    samples: tuple[float, ...] = ()
    environment: str = ""


@dataclass(frozen=True)
class Comparison:
    """A measured candidate against the incumbent.

    `ratio` is incumbent over candidate in cost (above 1 is better), `interval` its confidence
    interval, `error_spent` the probability of a wrong `better` that this comparison used up.
    `least_effect` is the gain that was worth accepting, `samples` the ratios by wall and by CPU
    clock of each pair of processes in their order, `seconds` what the comparison cost, and
    `reason` says in words why it ended as it did.
    """

    outcome: Literal["better", "not-shown", "worse"]
    ratio: float
    interval: tuple[float, float]
    error_spent: float
    method: str
    least_effect: float = 0.0
    samples: tuple[tuple[float, float], ...] = ()
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Bound:
    """A claim about every candidate: none has a better `metric` than `value`.

    A `proven` bound refuses whatever beats it, an `estimated` one (a measured roofline) leads
    to a second look. `scope` restricts the claim to candidates whose metrics equal the given
    values ("schedules of 6 chunks in 2 steps"). `evidence` holds the witness (a path, a cut, a
    query's digest) and `check` names the check that repeats the claim from it.
    """

    name: str
    metric: Metric
    value: Fraction
    kind: Literal["proven", "estimated"]
    claim: str
    check: str
    evidence: Mapping[str, Json] = field(default_factory=dict)
    scope: Mapping[str, Fraction] = field(default_factory=dict)

    def covers(self, values: Mapping[str, Fraction]) -> bool:
        """Whether the claim speaks of a candidate with these metrics."""
        return all(values.get(name) == value for name, value in self.scope.items())

    def beaten_by(self, values: Mapping[str, Fraction]) -> bool:
        """Whether these metrics contradict the claim."""
        value = values.get(self.metric.name)
        return value is not None and self.covers(values) and self.metric.improves(value, self.value)

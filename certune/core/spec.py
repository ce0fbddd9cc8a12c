"""What is wanted: task specifications and goals, as pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal, TypeAlias

from certune.core.canonical import Json, digest
from certune.core.codec import encode
from certune.core.errors import InvalidInput
from certune.core.status import Status


@dataclass(frozen=True)
class Metric:
    """A number by which candidates are compared, with its unit and better direction."""

    name: str
    unit: str
    better: Literal["lower", "higher"]

    def improves(self, value: Fraction, over: Fraction) -> bool:
        """Whether `value` is strictly better than `over`."""
        return value < over if self.better == "lower" else value > over

    def gap(self, value: Fraction, bound: Fraction) -> Fraction | None:
        """How far `value` is from `bound` as a ratio minus one; 0 at the bound.

        None where the ratio has no meaning (division by zero).
        """
        high, low = (value, bound) if self.better == "lower" else (bound, value)
        if high == low:
            return Fraction(0)
        return high / low - 1 if low else None


@dataclass(frozen=True)
class Satisfy:
    """A proof is all that is asked for."""

    kind: Literal["satisfy"] = "satisfy"


@dataclass(frozen=True)
class Improve:
    """One number is to be improved."""

    metric: Metric
    kind: Literal["improve"] = "improve"


@dataclass(frozen=True)
class Point:
    """One entry of a cost vector (a size, a shape, a trace) and how much it weighs."""

    metric: Metric
    weight: Fraction = Fraction(1)


@dataclass(frozen=True)
class ImproveEach:
    """A vector (size, shape or trace → cost) is to be improved, best of each entry.

    The incumbents are, entry by entry, the best accepted so far; a candidate is better where
    it beats one of them. What a user deploys is the table of the best for each entry.
    """

    points: tuple[Point, ...]
    kind: Literal["improve-each"] = "improve-each"


Goal: TypeAlias = Satisfy | Improve | ImproveEach


def goal_metrics(goal: Goal) -> tuple[Metric, ...]:
    """The metrics that a goal compares, in its order; none for a proof."""
    if isinstance(goal, Improve):
        return (goal.metric,)
    if isinstance(goal, ImproveEach):
        return tuple(point.metric for point in goal.points)
    return ()


@dataclass(frozen=True)
class Limits:
    """What one candidate may bring: the size of its payload in bytes."""

    payload_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        if self.payload_bytes < 1:
            raise InvalidInput("limits must be positive", place="limits")


@dataclass(frozen=True)
class TaskSpec:
    """What is wanted, as pure data; enough to rebuild the task.

    `task` is ``family/name``; `semantics` the version of the family's meaning that the
    parameters are read under; `floors` the status that each named obligation must reach
    (``*`` stands for all that are not named).
    """

    task: str
    semantics: int
    parameters: Mapping[str, Json]
    goal: Goal
    floors: Mapping[str, Status] = field(default_factory=lambda: {"*": Status.PROVED})
    limits: Limits = Limits()

    @property
    def family(self) -> str:
        """The family's name: the part of `task` before the slash."""
        return self.task.partition("/")[0]

    @cached_property
    def digest(self) -> str:
        """Digest of the canonical form; what certificates and ledgers pin."""
        return digest(encode(self))

    def floor(self, obligation: str) -> Status:
        """The status that the obligation of this name must reach."""
        return self.floors.get(obligation, self.floors.get("*", Status.PROVED))

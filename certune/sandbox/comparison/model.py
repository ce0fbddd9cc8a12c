"""What a comparison sees and how it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal, Protocol

from certune.core.canonical import Json
from certune.core.errors import InfrastructureError

# Ratios are kept within these; a side of an interval of which nothing is known yet is one.
SMALLEST, LARGEST = 1e-6, 1e6


class Inconclusive(InfrastructureError):
    """The machine was too noisy to tell: the incumbent alone differed too much from itself."""


@dataclass(frozen=True)
class Observation:
    """One pair of fresh processes: incumbent's time over the candidate's, on either clock.

    Each is the median over the pair's blocks. `incumbent_wall` and `incumbent_cpu` are the
    incumbent's own seconds a call (0: not told), from which alone the machine's noise is judged;
    `seconds` is what the observation cost.
    """

    wall_ratio: float
    cpu_ratio: float
    incumbent_wall: float = 0.0
    incumbent_cpu: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no measurement can give: it would be trouble of our own."""
        for ratio in (self.wall_ratio, self.cpu_ratio):
            if not (isfinite(ratio) and ratio > 0):
                raise ValueError(f"a ratio of times must be positive and finite, not {ratio}")
        for amount in (self.incumbent_wall, self.incumbent_cpu, self.seconds):
            if not (isfinite(amount) and amount >= 0):
                raise ValueError(f"seconds must be finite and not negative, not {amount}")


@dataclass(frozen=True)
class Fault:
    """What the candidate did instead of being measured; it is refused for it.

    wrong: an output differs from the reference. cheated: what was seen and where. died: how it
    ended, after a control run of the incumbent had passed.
    """

    kind: Literal["wrong", "cheated", "died"]
    detail: str
    evidence: Mapping[str, Json] = field(default_factory=dict)
    seconds: float = 0.0


class Source(Protocol):
    """Where observations come from. Each is a fresh pair of processes.

    A source must assign the two processes of a pair to candidate and incumbent by a fair coin
    that the candidate cannot know and that is thrown anew for every pair: all that the test
    assumes stands on this.
    """

    def observe(self) -> Observation | Fault:
        """Take one observation.

        Raises:
            InfrastructureError: trouble of our own; nothing is known of the candidate.
        """
        ...


@dataclass(frozen=True)
class Rule:
    """How a comparison decides; the error itself is given to it.

    least_effect: the gain that is worth accepting; less counts as none.
    refusing_error: how often a better candidate may be given up early, a slower one's verdict
        be wrong, either side of the interval be wrong. It lets nothing in.
    confirming_error: how often the confirmation alone would let an equal candidate pass; the
        first part is held to the error that is left of the whole.
    most_observations, most_confirmations: pairs of processes.
    most_seconds: of each part; the observation that passes it is the last.
    noisiest: the incumbent's own spread from process to process (one standard deviation, as a
        ratio) beyond which nothing shown is the machine's fault.
    """

    least_effect: float = 0.01
    refusing_error: float = 0.025
    confirming_error: float = 0.1
    most_observations: int = 60
    most_confirmations: int = 40
    most_seconds: float = 60.0
    noisiest: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        if not 0 <= self.least_effect <= 1:
            raise ValueError(f"a least effect of {self.least_effect} is not between 0 and 1")
        for error in (self.refusing_error, self.confirming_error):
            if not 0 < error < 0.5:
                raise ValueError(f"an error of {error} is not between 0 and 0.5")
        if not (self.most_seconds > 0 and self.noisiest > 0):
            raise ValueError("limits must be positive")

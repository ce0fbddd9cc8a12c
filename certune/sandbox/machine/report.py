"""What validation says about a machine: whether it may be measured on, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from certune.core.errors import Unavailable
from certune.sandbox.machine.counters import Pressure
from certune.sandbox.machine.description import Facts
from certune.sandbox.machine.probes import Probed

# In the order of how bad it is; `fit` alone is measured on.
State: TypeAlias = Literal["fit", "noisy", "overcommitted", "throttled", "broken"]
STATES: tuple[State, ...] = ("fit", "noisy", "overcommitted", "throttled", "broken")


@dataclass(frozen=True)
class Finding:
    """One thing that was found: what it makes of the machine, the evidence, what to do.

    `state` is `fit` for what is worth changing and stops nothing.
    """

    state: State
    evidence: str
    remedy: str = ""


@dataclass(frozen=True)
class MachineReport:
    """The machine as it was just now.

    `compared` counts the earlier validations of the same machine that this one was held
    against, `attempts` how often it was tried until it was fit or given up.
    """

    facts: Facts
    pressure: Pressure
    probed: Probed
    findings: tuple[Finding, ...]
    compared: int = 0
    attempts: int = 1

    @property
    def state(self) -> State:
        """The worst that was found."""
        return max((f.state for f in self.findings), key=STATES.index, default="fit")

    @property
    def fit(self) -> bool:
        """Whether results measured now would be about the candidate and not the machine."""
        return self.state == "fit"

    @property
    def timer_floor(self) -> float:
        """Seconds between two readings of the clock: nothing shorter can be told apart."""
        return self.probed.timer_floor

    def sentence(self) -> str:
        """The state and its evidence in one line."""
        against = [f.evidence for f in self.findings if f.state != "fit"]
        return f"{self.state}: {'; '.join(against)}" if against else "fit for measuring"

    def require(self) -> None:
        """Refuse to measure on a machine that is not fit.

        Raises:
            Unavailable: the state, the evidence and what to do.
        """
        if self.fit:
            return
        remedies = dict.fromkeys(f.remedy for f in self.findings if f.state != "fit" and f.remedy)
        raise Unavailable("; ".join([f"not measured here: {self.sentence()}", *remedies]))

    def summary(self) -> Mapping[str, float]:
        """The figures that a record keeps, in seconds, bytes a second and shares."""
        figures = {series.name: series.median for series in self.probed.series}
        return figures | {
            "timer-floor": self.probed.timer_floor,
            "detoured": self.probed.detoured,
            "longest-detour": self.probed.longest_detour,
            "scheduled": self.probed.scheduled,
            "others": self.pressure.others,
            "steal": self.pressure.steal,
        }

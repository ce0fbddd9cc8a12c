"""What the desk tells: how a payload that was handed in stands, and how the session stands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from certune.acceptance import Incumbent
from certune.core.agent import Brief
from certune.core.budget import Budget, Spent
from certune.core.canonical import Json
from certune.core.obligation import Verdict
from certune.core.trial import Trial

Kind: TypeAlias = Literal["propose", "verify"]
State: TypeAlias = Literal["waiting", "judging", "done", "cancelled", "failed", "not-judged"]


@dataclass
class Job:
    """A payload that was handed in, and what became of it. Changed by the desk alone."""

    id: str
    kind: Kind
    format: str | None
    data: bytes
    provenance: Mapping[str, Json]
    state: State = "waiting"
    began: float = 0.0
    trial: Trial | None = None
    verdict: Verdict | None = None
    told: str = ""
    files: tuple[Path, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state not in ("waiting", "judging")


@dataclass(frozen=True)
class View:
    """What is known of the session, as of `at` (of `time.monotonic`)."""

    session: str
    brief: Brief
    trials: tuple[Trial, ...]
    incumbent: Incumbent
    nothing_better: bool
    budget: Budget
    spent: Spent
    running: bool
    at: float
    over: str | None = None
    files: Mapping[int, tuple[Path, ...]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Seconds spent by now; they pass from the first proposal on."""
        return self.spent.seconds + (time.monotonic() - self.at if self.running else 0.0)

"""How a session begins: its name, its agent's options, the rivals that it sets out to beat."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from certune.acceptance import Incumbent
from certune.core.candidate import Payload
from certune.core.spec import TaskSpec
from certune.core.trial import Trial
from certune.ledger import Ledger


@dataclass(frozen=True)
class Rival:
    """An incumbent to begin with: its name and payload."""

    name: str
    payload: Payload


@dataclass(frozen=True)
class RecordedRival:
    """A rival as recorded: its payload by digest."""

    name: str
    format: str
    payload: str


@dataclass(frozen=True)
class Plan:
    """What is recorded of how a session began, beside its specification and budget."""

    options: Mapping[str, str]
    rivals: tuple[RecordedRival, ...]

    @classmethod
    def of(cls, options: Mapping[str, str], rivals: list[Rival]) -> Plan:
        """The record of these options and rivals."""
        named = (RecordedRival(r.name, r.payload.format, r.payload.digest) for r in rivals)
        return cls(dict(options), tuple(named))

    def load_rivals(self, ledger: Ledger) -> list[Rival]:
        """The rivals with the payloads that the ledger stores."""
        return [Rival(r.name, Payload(r.format, ledger.blob(r.payload))) for r in self.rivals]


def new_identity() -> str:
    """A session's name: when it began (UTC) and four random digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def now() -> str:
    """The time in UTC as RFC 3339 writes it, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def accepted_before(ledger: Ledger, spec: TaskSpec) -> list[Rival]:
    """The best that a project has accepted for a specification, entry by entry of its goal."""
    incumbent = Incumbent()
    trials: dict[str, Trial] = {}
    for trial in ledger.accepted(spec.digest):
        if trial.measurement is None:
            continue
        name = f"trial {trial.number} of session {trial.session}"
        trials[name] = trial
        incumbent = incumbent.improved(spec.goal, trial.measurement.values, name)
    holders = dict.fromkeys(incumbent.names.values())
    return [
        Rival(name, Payload(trials[name].payload_format, ledger.blob(trials[name].payload)))
        for name in holders
    ]

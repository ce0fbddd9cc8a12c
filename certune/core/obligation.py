"""Things to be shown, and what was shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from certune.core.canonical import Json
from certune.core.status import Status

Method: TypeAlias = Literal["parse", "dataflow", "smt", "sat", "exhaustive", "property"]


@dataclass(frozen=True)
class Counterexample:
    """Why a claim fails: one sentence that a person and a model can act on, and its data."""

    sentence: str
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Obligation:
    """One thing to be shown of a candidate, and its result.

    `check` names the check that repeats it, `floor` is the status it must reach, `seconds` what
    it took, `evidence` what a reader needs to repeat or believe it (digests, counts, solver).
    """

    name: str
    claim: str
    method: Method
    status: Status
    check: str
    floor: Status = Status.PROVED
    seconds: float = 0.0
    evidence: Mapping[str, Json] = field(default_factory=dict)
    counterexample: Counterexample | None = None

    @property
    def met(self) -> bool:
        """Whether the status reaches the floor."""
        return self.status >= self.floor


@dataclass(frozen=True)
class Verdict:
    """The obligations together, each against its floor."""

    obligations: tuple[Obligation, ...]

    @property
    def status(self) -> Status:
        """The least status among the obligations; unknown when there are none."""
        return min((o.status for o in self.obligations), default=Status.UNKNOWN)

    @property
    def met(self) -> bool:
        """Whether there are obligations and each reaches its floor."""
        return bool(self.obligations) and all(o.met for o in self.obligations)

    @property
    def failure(self) -> Obligation | None:
        """The first obligation below its floor, the worst status first."""
        failed = [o for o in self.obligations if not o.met]
        return min(failed, key=lambda o: o.status.rank, default=None)


def invalid(reason: str, data: Mapping[str, Json] | None = None) -> Verdict:
    """The verdict on a payload that does not parse or elaborate."""
    return Verdict(
        (
            Obligation(
                name="format",
                claim="the payload parses and elaborates",
                method="parse",
                status=Status.INVALID,
                check="elaborate",
                counterexample=Counterexample(reason, data or {}),
            ),
        )
    )

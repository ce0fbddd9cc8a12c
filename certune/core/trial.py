"""Attempts: what is proposed, what is decided, what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

from certune.core.candidate import Payload
from certune.core.canonical import Json
from certune.core.measurement import Comparison, Measurement
from certune.core.obligation import Verdict

Ground: TypeAlias = Literal[
    "proven", "tested", "better-in-model", "better-in-replay", "measured-better"
]

Reason: TypeAlias = Literal[
    "accepted",
    "invalid",  # did not parse or elaborate
    "refuted",  # an obligation has a counterexample
    "below-floor",  # an obligation is unknown, or tested where it must be proved
    "not-better",  # right, but not better than the incumbent
    "beyond-bound",  # better than a proven bound: task, measurement or candidate is wrong
]


@dataclass(frozen=True)
class Decision:
    """Accepted or not: the reason as a word, and why in one sentence.

    `ground` says in honest words on what an acceptance rests; None when refused.
    """

    reason: Reason
    why: str
    ground: Ground | None = None

    @property
    def accepted(self) -> bool:
        """Whether the candidate is accepted."""
        return self.reason == "accepted"


@dataclass(frozen=True)
class Usage:
    """What a proposal cost its agent: tokens in and out, money in the user's currency.

    `money` is None where the price is unknown.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    money: Fraction | None = Fraction(0)


@dataclass(frozen=True)
class Proposal:
    """A payload on its way to the door, with its cost and where it came from."""

    payload: Payload
    usage: Usage = Usage()
    provenance: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One recorded attempt, whatever its end.

    `number` counts the attempts of a session from 1. `known` is set when the answer was known
    from an earlier trial of the same artefact under the same spec, semantics and limits. A
    trial that ended by trouble of our own has a `failure` and neither verdict nor decision.
    Payloads and files are digests of content that the ledger stores. `isolation` is the weakest
    under which programs ran for it, None where none ran.
    """

    number: int
    session: str
    agent: str
    spec: str
    payload_format: str
    payload: str
    started: str
    seconds: float
    artefact: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict | None = None
    measurement: Measurement | None = None
    comparison: Comparison | None = None
    decision: Decision | None = None
    known: bool = False
    failure: str | None = None
    usage: Usage = Usage()
    provenance: Mapping[str, Json] = field(default_factory=dict)
    isolation: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether this attempt was accepted."""
        return self.decision is not None and self.decision.accepted

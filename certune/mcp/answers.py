"""What the tools return. The field descriptions are what a model reads."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from certune.mcp.jobs import Kind, State


class Number(BaseModel):
    """An exact number with its unit."""

    name: str
    value: str = Field(description="exact, an integer or a fraction such as 7/6")
    approximately: float
    unit: str = ""


class BoundOut(BaseModel):
    """A claim about every candidate."""

    value: Number
    kind: Literal["proven", "estimated"]
    claim: str
    scope: dict[str, str] = Field(
        default={}, description="it speaks only of candidates with these metrics"
    )


class FormatOut(BaseModel):
    """A format in which payloads may be sent."""

    name: str
    description: str
    json_schema: dict[str, Any] | None
    example: str = Field(description="a valid payload, cut where it is long")


class Budget(BaseModel):
    """What is left of the budget; null is no limit."""

    attempts: int | None
    seconds: float | None
    tokens: int | None
    money: str | None
    spent_attempts: int
    spent_seconds: float
    over: str | None = Field(description="why the session is over; null while it runs")


class TaskOut(BaseModel):
    """A task that certune knows."""

    name: str
    summary: str
    served: bool = Field(description="whether this server takes proposals for it")


class Tasks(BaseModel):
    """The tasks; the one that is served, with its parameters, was fixed by who started this."""

    tasks: list[TaskOut]
    served: str
    parameters: dict[str, Any]
    spec_digest: str


class AttemptOut(BaseModel):
    """An earlier attempt in short."""

    trial: int
    agent: str
    outcome: str
    why: str
    metrics: list[Number]


class BriefOut(BaseModel):
    """All that is to be known before proposing."""

    session: str
    task: str
    goal: str
    hints: list[str]
    repairs: dict[str, str] = Field(description="how a failure of an obligation is mended")
    formats: list[FormatOut]
    baselines: list[str]
    to_beat: list[Number]
    holders: dict[str, str] = Field(description="which candidate holds each metric now")
    bounds: list[BoundOut]
    latest_attempts: list[AttemptOut]
    budget: Budget


class Ticket(BaseModel):
    """A proposal that was taken in."""

    id: str = Field(description="ask for its verdict by this id")
    waiting_before: int = Field(description="how many are judged before it")
    next: str


class CounterexampleOut(BaseModel):
    """Why a claim fails."""

    sentence: str
    data: dict[str, Any] | None = Field(description="null where it is too large to be sent")


class ObligationOut(BaseModel):
    """One thing that was to be shown."""

    name: str
    claim: str
    status: str
    must_be: str
    method: str
    seconds: float
    counterexample: CounterexampleOut | None


class VerdictOut(BaseModel):
    """Where a proposal or a verification stands, and its verdict when it is done."""

    id: str
    kind: Kind
    state: State
    told: str = Field(description="the state, or the verdict, in one sentence")
    waiting_before: int = 0
    judging_seconds: float = 0.0
    trial: int | None = Field(default=None, description="the number of the recorded attempt")
    status: str | None = Field(
        default=None, description="proved, tested, unknown, refuted or invalid"
    )
    accepted: bool | None = None
    reason: str | None = None
    known: bool = Field(default=False, description="the same artefact was judged before")
    obligations_met: int = Field(default=0, description="`explain` lists all of them")
    obligations: list[ObligationOut] = Field(default=[], description="those that are not met")
    metrics: list[Number] = []
    gap_to_bound: float | None = Field(
        default=None, description="distance to the proven bound as a ratio minus one"
    )
    files: list[str] = Field(default=[], description="what was written, for an accepted one")
    budget: Budget


class HolderOut(BaseModel):
    """The best known value of one metric."""

    metric: Number
    better: Literal["lower", "higher"]
    of: str
    trial: int | None = Field(description="null for one from before this session")
    bound: Number | None
    gap_to_bound: float | None
    files: list[str]
    payload: str | None = Field(description="null where it is long")


class BestOut(BaseModel):
    """What has to be beaten now."""

    holders: list[HolderOut]
    accepted_trials: list[int]
    nothing_better_exists: bool = Field(description="the proven bound is met")
    budget: Budget


class ExplanationOut(BaseModel):
    """One recorded attempt, whole."""

    trial: int
    agent: str
    outcome: str
    why: str
    status: str | None
    known: bool
    failure: str | None
    obligations: list[ObligationOut]
    metrics: list[Number]
    payload_format: str
    payload_digest: str
    payload: str = Field(description="cut where it is long")
    seconds: float


class Cancelled(BaseModel):
    """What a cancellation did."""

    id: str
    state: State
    told: str

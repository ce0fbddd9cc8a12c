"""From the nouns of certune to what the tools return."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from certune.acceptance import best_bound, gap
from certune.core.agent import PayloadFormat
from certune.core.canonical import Json
from certune.core.measurement import Bound, Measurement
from certune.core.obligation import Obligation, Verdict
from certune.core.spec import Goal, Improve, Metric, Satisfy, goal_metrics
from certune.core.trial import Trial
from certune.mcp.answers import (
    AttemptOut,
    BestOut,
    BoundOut,
    BriefOut,
    Budget,
    CounterexampleOut,
    ExplanationOut,
    FormatOut,
    HolderOut,
    Number,
    ObligationOut,
    VerdictOut,
)
from certune.mcp.jobs import Job, View

DATA_BYTES = 16 * 1024  # of a counterexample's data, as JSON
TEXT_CHARACTERS = 64 * 1024  # of a payload that is shown
OBLIGATIONS = 40  # of a verdict that are shown
LATEST = 12  # attempts in a brief


def _number(name: str, value: Fraction, unit: str = "") -> Number:
    try:
        approximately = float(value)
    except OverflowError:
        approximately = 0.0
    return Number(name=name, value=str(value), approximately=approximately, unit=unit)


def _text(data: bytes, limit: int = TEXT_CHARACTERS) -> str:
    text = data[: 4 * limit].decode(errors="replace")
    return text if len(text) <= limit else text[:limit] + "…"


def _goal(goal: Goal) -> str:
    if isinstance(goal, Satisfy):
        return "a candidate whose every obligation is shown"
    names = ", ".join(f"{m.name} ({m.unit}, {m.better} is better)" for m in goal_metrics(goal))
    how = "improve" if isinstance(goal, Improve) else "improve at least one of"
    return f"{how} {names}"


def outcome(trial: Trial) -> str:
    """The outcome of a trial in one word."""
    return "failed" if trial.decision is None else trial.decision.reason


def why(trial: Trial) -> str:
    """The sentence about a trial."""
    if trial.failure is not None:
        return f"trouble of certune's own, it says nothing about the candidate: {trial.failure}"
    return trial.decision.why if trial.decision else ""


def _metrics(measurement: Measurement | None, metrics: Iterable[Metric]) -> list[Number]:
    """The goal's metrics first, with their units; then the others."""
    if measurement is None:
        return []
    units = {metric.name: metric.unit for metric in metrics}
    values = measurement.values
    names = [*(n for n in units if n in values), *(n for n in values if n not in units)]
    return [_number(name, values[name], units.get(name, "")) for name in names]


def _data(data: Mapping[str, Json]) -> dict[str, Any] | None:
    try:
        text = json.dumps(data)
    except (TypeError, ValueError):
        return None
    return cast("dict[str, Any]", json.loads(text)) if len(text) <= DATA_BYTES else None


def _obligation(obligation: Obligation) -> ObligationOut:
    told = obligation.counterexample
    return ObligationOut(
        name=obligation.name,
        claim=obligation.claim,
        status=obligation.status.value,
        must_be=obligation.floor.value,
        method=obligation.method,
        seconds=obligation.seconds,
        counterexample=None
        if told is None
        else CounterexampleOut(sentence=told.sentence, data=_data(told.data)),
    )


def _obligations(verdict: Verdict | None) -> list[ObligationOut]:
    """The obligations of a verdict, those that are not met first; many are cut."""
    if verdict is None:
        return []
    ordered = sorted(verdict.obligations, key=lambda o: o.met)
    return [_obligation(o) for o in ordered[:OBLIGATIONS]]


def _bound(bound: Bound) -> BoundOut:
    return BoundOut(
        value=_number(bound.metric.name, bound.value, bound.metric.unit),
        kind=bound.kind,
        claim=bound.claim,
        scope={name: str(value) for name, value in bound.scope.items()},
    )


def _format(format_: PayloadFormat) -> FormatOut:
    schema = None if format_.schema is None else json.loads(json.dumps(format_.schema))
    return FormatOut(
        name=format_.name,
        description=format_.description,
        json_schema=schema,
        example=_text(format_.example),
    )


def budget(view: View | None) -> Budget:
    """What is left now."""
    if view is None:
        return Budget(
            attempts=None,
            seconds=None,
            tokens=None,
            money=None,
            spent_attempts=0,
            spent_seconds=0.0,
            over=None,
        )
    limit, spent = view.budget, view.spent
    seconds = view.seconds
    money = None if limit.money is None else str(max(Fraction(0), limit.money - spent.money))
    return Budget(
        attempts=None if limit.attempts is None else max(0, limit.attempts - spent.attempts),
        seconds=None if limit.seconds is None else round(max(0.0, limit.seconds - seconds), 1),
        tokens=None if limit.tokens is None else max(0, limit.tokens - spent.tokens),
        money=money,
        spent_attempts=spent.attempts,
        spent_seconds=round(seconds, 1),
        over=view.over,
    )


def brief(view: View) -> BriefOut:
    """All that is to be known before proposing."""
    told = view.brief
    metrics = goal_metrics(told.spec.goal)
    held = view.incumbent.values
    return BriefOut(
        session=view.session,
        task=told.task,
        goal=_goal(told.spec.goal),
        hints=list(told.hints),
        repairs=dict(told.repairs),
        formats=[_format(format_) for format_ in told.formats],
        baselines=list(told.baselines),
        to_beat=[_number(m.name, held[m.name], m.unit) for m in metrics if m.name in held],
        holders=dict(view.incumbent.names),
        bounds=[_bound(bound) for bound in told.bounds],
        latest_attempts=[
            AttemptOut(
                trial=trial.number,
                agent=trial.agent,
                outcome=outcome(trial),
                why=why(trial),
                metrics=_metrics(trial.measurement, metrics)[: max(1, len(metrics))],
            )
            for trial in view.trials[-LATEST:]
        ],
        budget=budget(view),
    )


def _sentence(verdict: Verdict) -> str:
    failure = verdict.failure
    if failure is None:
        return (
            f"{verdict.status.value}: every obligation is met; nothing is recorded, propose it to "
            "have it compared with the incumbent"
        )
    told = failure.counterexample.sentence if failure.counterexample else failure.claim
    return f"{failure.status.value}: {failure.name}: {told}"


_STANDS = {
    "waiting": "it waits to be judged",
    "judging": "it is being judged; ask again",
    "cancelled": "cancelled",
}


def verdict(job: Job, view: View | None, before: int, seconds: float) -> VerdictOut:
    """Where a job stands; with its verdict when it is done."""
    state, trial = job.state, job.trial
    shown = job.verdict
    told = job.told or _STANDS.get(state, "")
    if shown is not None and state == "done":
        told = _sentence(shown)
    out = VerdictOut(
        id=job.id,
        kind=job.kind,
        state=state,
        told=told,
        waiting_before=before,
        judging_seconds=round(seconds, 1),
        budget=budget(view),
    )
    if trial is not None and trial.failure is None and state == "done":
        shown = trial.verdict
        out.trial = trial.number
        out.accepted = trial.accepted
        out.reason = outcome(trial)
        out.told = _outcome(trial) + (f"; {job.told}" if job.told else "")
        out.known = trial.known
        out.files = [str(path) for path in job.files]
        if view is not None:
            metrics = goal_metrics(view.brief.spec.goal)
            out.metrics = _metrics(trial.measurement, metrics)
            out.gap_to_bound = _gap(trial, metrics, view)
    elif trial is not None:
        out.trial = trial.number
    if shown is not None and state == "done":
        out.status = shown.status.value
        unmet = tuple(o for o in shown.obligations if not o.met)
        out.obligations = _obligations(Verdict(unmet))
        out.obligations_met = len(shown.obligations) - len(unmet)
    return out


def _outcome(trial: Trial) -> str:
    word, told = outcome(trial), why(trial)
    return told if told.startswith(word.replace("-", " ")) else f"{word}: {told}"


def _gap(trial: Trial, metrics: Iterable[Metric], view: View) -> float | None:
    """The distance to the bound of the first metric that has one."""
    if trial.measurement is None:
        return None
    for metric in metrics:
        value = trial.measurement.values.get(metric.name)
        distance = None if value is None else gap(metric, value, view.brief.bounds)
        if distance is not None:
            return float(distance)
    return None


def best(view: View, payloads: Mapping[str, bytes]) -> BestOut:
    """What has to be beaten now; `payloads` are those of candidates by their names."""
    holders = []
    for metric in goal_metrics(view.brief.spec.goal):
        value = view.incumbent.values.get(metric.name)
        if value is None:
            continue
        name = view.incumbent.names.get(metric.name, "")
        number = holder_trial(name)
        bound = best_bound(metric, view.brief.bounds)
        distance = None if bound is None else metric.gap(value, bound.value)
        data = payloads.get(name)
        whole = data is not None and len(data) <= TEXT_CHARACTERS
        holders.append(
            HolderOut(
                metric=_number(metric.name, value, metric.unit),
                better=metric.better,
                of=name,
                trial=number,
                bound=None if bound is None else _number(metric.name, bound.value, metric.unit),
                gap_to_bound=None if distance is None else float(distance),
                files=_paths(view.files.get(number, ())) if number is not None else [],
                payload=_text(data) if data is not None and whole else None,
            )
        )
    return BestOut(
        holders=holders,
        accepted_trials=[trial.number for trial in view.trials if trial.accepted],
        nothing_better_exists=view.nothing_better,
        budget=budget(view),
    )


def holder_trial(name: str) -> int | None:
    """The number of the trial of this session that an incumbent's name tells, or None."""
    kind, _, number = name.partition(" ")
    return int(number) if kind == "trial" and number.isdecimal() else None


def _paths(paths: Iterable[Path]) -> list[str]:
    return [str(path) for path in paths]


def explanation(trial: Trial, payload: bytes, metrics: Iterable[Metric]) -> ExplanationOut:
    """One recorded attempt, whole."""
    return ExplanationOut(
        trial=trial.number,
        agent=trial.agent,
        outcome=outcome(trial),
        why=why(trial),
        status=trial.verdict.status.value if trial.verdict else None,
        known=trial.known,
        failure=trial.failure,
        obligations=_obligations(trial.verdict),
        metrics=_metrics(trial.measurement, metrics),
        payload_format=trial.payload_format,
        payload_digest=trial.payload,
        payload=_text(payload),
        seconds=trial.seconds,
    )

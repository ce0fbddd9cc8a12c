"""What a verdict is worth and what it says, for whoever learns from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction

from certune.agents.prompt import clean, metrics
from certune.core.agent import Brief, StartingPoint
from certune.core.measurement import Bound
from certune.core.spec import Metric, goal_metrics
from certune.core.status import Status
from certune.core.trial import Trial

_DATA = 1500  # characters of a counterexample's data
_FAILURES = 3


def _progress(
    metric: Metric, values: Mapping[str, Fraction], start: Fraction | None, bounds: Sequence[Bound]
) -> float:
    """How far a value is on the way from the start to the bound, from 0 (no better) to 1.

    Where no bound is known, twice as good as the start counts as half the way.
    """
    value = values.get(metric.name)
    if value is None or start is None or not metric.improves(value, start):
        return 0.0
    proven = [
        bound.value
        for bound in bounds
        if bound.kind == "proven" and not bound.scope and bound.metric.name == metric.name
    ]
    if proven:
        best = max(proven) if metric.better == "lower" else min(proven)
        if best != start:
            return float(min(Fraction(1), (start - value) / (start - best)))
    ratio = metric.gap(start, value)
    return 0.5 if ratio is None else float(ratio / (1 + ratio))


def score(
    trial: Trial,
    goal: Sequence[Metric],
    starts: Sequence[StartingPoint],
    bounds: Sequence[Bound],
) -> float:
    """What an attempt is worth, from 0 to 1; it does not depend on the attempts before it.

    0 for trouble and what does not parse; up to 0.4 for what is refuted, by the share of its
    obligations that hold; 0.5 for what is correct and no better than the first start (the
    baseline); then by the way to the proven bound, 1 at the bound. A proof alone is worth 1.
    """
    verdict = trial.verdict
    if verdict is None or not verdict.obligations or verdict.status is Status.INVALID:
        return 0.0
    if not verdict.met:
        return 0.1 + 0.3 * sum(o.met for o in verdict.obligations) / len(verdict.obligations)
    if not goal:
        return 1.0
    if trial.decision is not None and trial.decision.reason == "beyond-bound":
        return 0.0
    values = trial.measurement.values if trial.measurement else {}
    first = starts[0].values if starts else {}
    ways = [_progress(m, values, first.get(m.name), bounds) for m in goal]
    return 0.5 + 0.5 * sum(ways) / len(ways)


def score_of(trial: Trial, brief: Brief, bounds: Sequence[Bound] = ()) -> float:
    """`score` with what the brief says."""
    return score(trial, goal_metrics(brief.spec.goal), brief.starts, bounds or brief.bounds)


def feedback(trial: Trial, brief: Brief) -> str:
    """The verifier's words about an attempt: verdict, counterexamples with data, what mends it."""
    if trial.decision is None:
        return "It could not be judged: trouble of the judge's own, it says nothing about it."
    lines = [f"{trial.decision.reason}: {clean(trial.decision.why)[:1000]}"]
    failures = [o for o in trial.verdict.obligations if not o.met] if trial.verdict else []
    for failure in failures[:_FAILURES]:
        lines.append(f"- {failure.name} ({failure.status.value}): {clean(failure.claim)[:500]}")
        if failure.counterexample is not None:
            lines.append(f"  counterexample: {clean(failure.counterexample.sentence)[:1000]}")
            data = json.dumps(failure.counterexample.data, ensure_ascii=False)
            if failure.counterexample.data and len(data) <= _DATA:
                lines.append(f"  data: {clean(data)}")
        advice = brief.repairs.get(failure.name)
        if advice:
            lines.append(f"  what mends it: {advice}")
    if trial.measurement is not None:
        lines.append(metrics(goal_metrics(brief.spec.goal), trial.measurement.values))
    note = trial.provenance.get("note")
    if isinstance(note, str) and note:
        lines.append(clean(note)[:300])
    return "\n".join(lines)

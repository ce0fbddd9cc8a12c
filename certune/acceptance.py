"""The acceptance rule, in one place.

A candidate is accepted when every obligation reaches its floor, it is better than the incumbent
(exactly, where the numbers come from a model or a replay; with a controlled error rate, where
they are measured), and it does not beat a proven bound. Beating one means that the task, the
measurement or the candidate is wrong, so it is refused with its own reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from certune.core.measurement import Bound, Comparison, Measurement, Taken
from certune.core.obligation import Verdict
from certune.core.spec import Goal, ImproveEach, Metric, Satisfy, goal_metrics
from certune.core.status import Status
from certune.core.trial import Decision, Ground, Trial

_GROUND: Mapping[Taken, Ground] = {
    "modelled": "better-in-model",
    "replayed": "better-in-replay",
    "measured": "measured-better",
}


@dataclass(frozen=True)
class Incumbent:
    """What a candidate has to beat: for each goal metric the best value, and whose it is."""

    values: Mapping[str, Fraction] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def improved(self, goal: Goal, values: Mapping[str, Fraction], name: str) -> Incumbent:
        """The incumbent after a candidate with these metrics, entry by entry."""
        best, names = dict(self.values), dict(self.names)
        for metric in goal_metrics(goal):
            value = values.get(metric.name)
            if value is None:
                continue
            if metric.name not in best or metric.improves(value, best[metric.name]):
                best[metric.name], names[metric.name] = value, name
        return Incumbent(best, names)


def best_bound(metric: Metric, bounds: Iterable[Bound]) -> Bound | None:
    """The strongest proven bound on `metric` that holds for every candidate."""
    best: Bound | None = None
    for bound in bounds:
        speaks = bound.kind == "proven" and not bound.scope and bound.metric.name == metric.name
        if speaks and (best is None or metric.improves(best.value, bound.value)):
            best = bound
    return best


def gap(metric: Metric, value: Fraction, bounds: Iterable[Bound]) -> Fraction | None:
    """How far `value` is from the strongest proven bound; None where there is none."""
    bound = best_bound(metric, bounds)
    return None if bound is None else metric.gap(value, bound.value)


def amount(value: Fraction, unit: str = "") -> str:
    """A number for people: four significant digits, exact where that is short."""
    exact = str(value)
    try:
        short = f"{float(value):.4g}"
    except OverflowError:  # beyond what any task has, but not what a certificate may claim
        short = f"{Decimal(value.numerator) / value.denominator:.4g}"
    text = exact if len(exact) <= 6 and value.denominator == 1 else short
    return f"{text} {unit}".rstrip()


def _refused_by_verdict(verdict: Verdict) -> Decision | None:
    failure = verdict.failure
    if failure is None:
        if verdict.met:
            return None
        return Decision("below-floor", "nothing was shown: the task has no obligation")
    told = failure.counterexample.sentence if failure.counterexample else failure.claim
    if failure.status is Status.INVALID:
        return Decision("invalid", told)
    if failure.status is Status.REFUTED:
        return Decision("refuted", f"{failure.name}: {told}")
    why = f"{failure.name} is {failure.status.value}, and must be {failure.floor.value}"
    return Decision("below-floor", why)


def _better(goal: Goal, values: Mapping[str, Fraction], incumbent: Incumbent) -> tuple[bool, str]:
    """Whether exact values beat the incumbent at one goal metric, and the sentence about it."""
    won: list[str] = []
    lost = ""
    for metric in goal_metrics(goal):
        value = values.get(metric.name)
        if value is None:
            return False, f"no {metric.name} was evaluated"
        if metric.name not in incumbent.values:
            return False, f"there is no incumbent for {metric.name}"
        held, name = incumbent.values[metric.name], incumbent.names.get(metric.name, "incumbent")
        where = f"{metric.name} " if isinstance(goal, ImproveEach) else ""
        told = f"{where}{amount(value, metric.unit)} against {amount(held, metric.unit)} of {name}"
        if metric.improves(value, held):
            ratio = metric.gap(held, value)
            won.append(told if ratio is None else f"{told}, {float(ratio + 1):.2f} times better")
        else:
            lost = lost or told
    if won:
        more = f" (and {len(won) - 1} more)" if len(won) > 1 else ""
        return True, won[0] + more
    return False, f"not better: {lost}"


def decide(
    goal: Goal,
    verdict: Verdict,
    measurement: Measurement | None,
    incumbent: Incumbent,
    bounds: Iterable[Bound],
    comparison: Comparison | None = None,
) -> Decision:
    """Accept or refuse, with the reason as a word and in one sentence.

    `measurement` is needed for every goal but a proof, `comparison` for a measured one.
    """
    refused = _refused_by_verdict(verdict)
    if refused:
        return refused
    suspicious = ""
    if measurement is not None:
        for bound in bounds:
            if not bound.beaten_by(measurement.values):
                continue
            value = measurement.values[bound.metric.name]
            unit = bound.metric.unit
            beaten = (
                f"{bound.metric.name} {amount(value, unit)} is beyond the {bound.kind} "
                f"bound {amount(bound.value, unit)} ({bound.claim})"
            )
            if bound.kind == "proven":
                return Decision(
                    "beyond-bound", f"{beaten}; the task, the model or the candidate is wrong"
                )
            suspicious = f"; look again: {beaten}"
    if isinstance(goal, Satisfy):
        proven = verdict.status is Status.PROVED
        return Decision(
            "accepted",
            f"every obligation is {verdict.status.value}{suspicious}",
            "proven" if proven else "tested",
        )
    if measurement is None:
        return Decision("below-floor", "the goal is a number, and none was taken")
    if measurement.taken == "measured":
        if comparison is None:
            return Decision("not-better", "measured, but not compared with the incumbent")
        low, high = comparison.interval
        told = f"measured {comparison.ratio:.3f} times better ({low:.3f} to {high:.3f})"
        more = f": {comparison.reason}" if comparison.reason else ""
        if comparison.outcome != "better":
            outcome = comparison.outcome.replace("-", " ")
            return Decision("not-better", f"{outcome} against the incumbent{more}")
        if not 1 <= low <= comparison.ratio <= high:
            return Decision("not-better", f"{told}, which contradicts itself")
        why = f"{told} at an error of {comparison.error_spent:.2g}{more}"
        return Decision("accepted", why + suspicious, "measured-better")
    better, told = _better(goal, measurement.values, incumbent)
    if not better:
        return Decision("not-better", told)
    return Decision("accepted", told + suspicious, _GROUND[measurement.taken])


def contradiction(bound: Bound, incumbent: Incumbent, trials: Iterable[Trial]) -> str | None:
    """Why a proven bound and what was judged cannot both be right; None where they can.

    `trials` are those whose acceptance the bound must not deny.
    """
    if bound.kind != "proven":
        return None
    for trial in trials:
        values = trial.measurement.values if trial.measurement else {}
        if trial.accepted and bound.beaten_by(values):
            return (
                f"the bound {bound.name!r} ({bound.claim}) contradicts trial {trial.number}, "
                "which was accepted: one of the two proofs is wrong"
            )
    if not bound.scope and bound.beaten_by(incumbent.values):
        return (
            f"{incumbent.names[bound.metric.name]} is beyond the proven bound {bound.name!r} "
            f"({bound.claim}): the task, the model or one of the two is wrong"
        )
    return None

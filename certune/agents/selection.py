"""Which earlier attempts a model is shown: the best, the nearest misses, the most recent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from certune.core.spec import Goal, ImproveEach, goal_metrics
from certune.core.trial import Trial

_BEST = 2
_MISSES = 2
_RECENT = 3
_SENTENCES = 8


@dataclass(frozen=True)
class Chosen:
    """Attempts worth showing whole, most useful first, and sentences about further failures."""

    trials: tuple[Trial, ...]
    sentences: tuple[str, ...]


def sentence(trial: Trial) -> str:
    """Why an attempt was refused or accepted, in one sentence."""
    if trial.decision is not None:
        return trial.decision.why
    return "it could not be judged: trouble of the judge's own"


def _cost(goal: Goal, trial: Trial) -> Fraction:
    """The attempt's goal metrics as one number, less is better."""
    values = trial.measurement.values if trial.measurement else {}
    weights = (
        {p.metric.name: p.weight for p in goal.points} if isinstance(goal, ImproveEach) else {}
    )
    cost = Fraction(0)
    for metric in goal_metrics(goal):
        value = values.get(metric.name, Fraction(0)) * weights.get(metric.name, Fraction(1))
        cost += value if metric.better == "lower" else -value
    return cost


def _met(trial: Trial) -> int:
    """How many obligations an attempt met: more is nearer."""
    return sum(o.met for o in trial.verdict.obligations) if trial.verdict else 0


def best_first(goal: Goal, trials: Sequence[Trial]) -> list[Trial]:
    """The correct attempts by their cost, each artefact once."""
    found: dict[str, Trial] = {}
    for trial in trials:
        if trial.verdict is not None and trial.verdict.met:
            found.setdefault(trial.artefact or trial.payload, trial)
    return sorted(found.values(), key=lambda t: (not t.accepted, _cost(goal, t), t.number))


def nearest_misses(trials: Sequence[Trial]) -> list[Trial]:
    """The refuted attempts by how much they met, the latest first, each artefact once."""
    found: dict[str, Trial] = {}
    for trial in reversed(trials):
        refuted = trial.verdict is not None and not trial.verdict.met
        if refuted and trial.artefact is not None:
            found.setdefault(trial.artefact, trial)
    return sorted(found.values(), key=lambda t: (-_met(t), -t.number))


def choose(goal: Goal, trials: Sequence[Trial]) -> Chosen:
    """What to show of the attempts so far; the same trials always lead to the same choice."""
    shown: dict[int, Trial] = {}
    groups = (
        best_first(goal, trials)[:_BEST],
        nearest_misses(trials)[:_MISSES],
        list(reversed(trials[-_RECENT:])),
    )
    artefacts: set[str] = set()
    for trial in (trial for group in groups for trial in group):
        identity = trial.artefact or trial.payload
        if identity not in artefacts:
            artefacts.add(identity)
            shown[trial.number] = trial
    told = {sentence(trial) for trial in shown.values()}
    others: list[str] = []
    for trial in reversed(trials):
        why = sentence(trial)
        if why not in told and trial.verdict is not None and not trial.verdict.met:
            told.add(why)
            others.append(why)
    return Chosen(tuple(shown.values()), tuple(others[:_SENTENCES]))

"""What a session says when it begins and when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from certune.acceptance import amount, best_bound
from certune.cli.costs import cost_data, cost_lines
from certune.cli.live import outcome, percent, why
from certune.core.canonical import Json
from certune.core.codec import encode
from certune.core.measurement import Bound
from certune.core.obligation import Obligation, Verdict
from certune.core.spec import Metric, goal_metrics
from certune.core.trial import Trial

if TYPE_CHECKING:
    from certune.session import Run, Session

_ENDED = {
    "exhausted": "the agent has nothing more to propose",
    "nothing-better": "the proven bound is met: nothing better exists",
    "budget": "the budget is spent",
    "asked": "stopped on request",
    "trouble": "ended by trouble of its own",
}


def _say(out: Console, text: str, style: str = "") -> None:
    out.print(Text(text, style=style), soft_wrap=True)


def begin(session: Session, out: Console) -> None:
    """Say what is asked for, what is to be beaten and what cannot be."""
    brief = session.ask()
    _say(out, brief.task, "bold")
    for metric in goal_metrics(session.task.spec.goal):
        held = session.incumbent.values.get(metric.name)
        if held is not None:
            name = session.incumbent.names[metric.name]
            _say(out, f"  to beat       {amount(held, metric.unit)} {metric.name}, {name}")
        bound = best_bound(metric, session.bounds)
        if bound is not None:
            told = (
                f"  proven bound  {amount(bound.value, metric.unit)} {metric.name}: {bound.claim}"
            )
            _say(out, told)
    _say(out, f"  session       {session.identity}")
    _say(out, "")


def told_obligations(verdict: Verdict) -> list[str]:
    """A line for each obligation on the candidate, and one for each of its files."""
    lines = []
    files: dict[str, list[Obligation]] = {}
    for obligation in verdict.obligations:
        file, slash, _ = obligation.name.partition("/")
        if slash:
            files.setdefault(file, []).append(obligation)
        else:
            lines.append(f"{obligation.status.value:<8} {obligation.name}: {obligation.claim}")
    for file, obligations in files.items():
        status = Verdict(tuple(obligations)).status.value
        names = ", ".join(obligation.name.partition("/")[2] for obligation in obligations)
        lines.append(f"{status:<8} {file}: {names}")
    return lines


def _won(session: Session, metric: Metric) -> str:
    held = session.incumbent.values.get(metric.name)
    if held is None:
        return f"{metric.name}: nothing was accepted"
    told = f"{metric.name} {amount(held, metric.unit)} ({session.incumbent.names[metric.name]})"
    baseline = session.baseline
    if baseline is not None and metric.name in baseline.measurement.values:
        ratio = metric.gap(baseline.measurement.values[metric.name], held)
        if ratio is not None:
            told += f", {float(ratio + 1):.2f} times better than {baseline.name}"
    bound = best_bound(metric, session.bounds)
    if bound is not None:
        distance = metric.gap(held, bound.value)
        told += f", proven bound {amount(bound.value, metric.unit)}"
        if distance is not None:
            told += f", gap {percent(float(distance))}"
    return told


def finish(
    session: Session,
    run: Run,
    files: Mapping[int, Sequence[Path]],
    project: Path,
    out: Console,
) -> Json:
    """Say what was won, how far it is from the bound, what was written and what comes next.

    Returns the same as data.
    """
    accepted = [trial for trial in session.trials if trial.accepted]
    _say(out, "")
    detail = f" ({run.detail})" if run.detail and run.stopped in ("budget", "trouble") else ""
    ended = _ENDED[run.stopped]
    if run.stopped == "nothing-better" and not goal_metrics(session.task.spec.goal):
        ended = "the proof is there"
    _say(out, f"{ended}{detail}; {len(session.trials)} attempts, "
              f"{len(accepted)} accepted", "bold")  # fmt: skip
    for metric in goal_metrics(session.task.spec.goal):
        _say(out, "  " + _won(session, metric))
    for told in cost_lines(session.trials):
        _say(out, "  " + told)
    best = _standing(session, accepted)
    for trial in best:
        verdict = trial.verdict
        if verdict is None or trial.decision is None:
            continue
        _say(
            out, f"  trial {trial.number}: {verdict.status.value}, {trial.decision.ground}", "green"
        )
        if trial.measurement is not None and trial.measurement.values:
            values = trial.measurement.values.items()
            told = ", ".join(f"{name} {amount(value)}" for name, value in values)
            _say(out, f"    {trial.measurement.taken:<8} {told}")
        for told in told_obligations(verdict):
            _say(out, f"    {told}")
        if trial.isolation is not None:
            _say(out, f"    isolation {trial.isolation}, of the programs that ran for it")
        for path in files.get(trial.number, ()):
            _say(out, f"    wrote    {path}")
    scoped = sum(1 for bound in session.bounds if bound.scope)
    if scoped:
        _say(out, f"  {scoped} infeasible cases proven on the way (certune show lists them)")
    _say(out, "")
    for command in _next_commands(session, run, best, files, project):
        _say(out, f"  next: {command}", "dim")
    return {
        "session": session.identity,
        "task": encode(session.task.spec),
        "spec": session.task.spec.digest,
        "stopped": run.stopped,
        "detail": run.detail,
        "attempts": len(session.trials),
        "costs": cost_data(session.trials),
        "baseline": _baseline(session),
        "incumbent": {
            name: {"value": str(value), "of": session.incumbent.names[name]}
            for name, value in session.incumbent.values.items()
        },
        "bounds": [_bound(bound) for bound in session.bounds],
        "accepted": [
            {
                "trial": trial.number,
                "ground": trial.decision.ground if trial.decision else None,
                "why": trial.decision.why if trial.decision else None,
                "status": trial.verdict.status.value if trial.verdict else None,
                "metrics": encode(trial.measurement.values) if trial.measurement else None,
                "isolation": trial.isolation,
                "files": [str(path) for path in files.get(trial.number, ())],
            }
            for trial in accepted
        ],
        "trials": [
            {"trial": trial.number, "outcome": outcome(trial), "why": why(trial)}
            for trial in session.trials
        ],
    }


def _standing(session: Session, accepted: Sequence[Trial]) -> list[Trial]:
    """The accepted trials that hold a goal metric now; all of them for a proof."""
    holders = set(session.incumbent.names.values())
    if not holders:
        return list(accepted)
    return [trial for trial in accepted if f"trial {trial.number}" in holders]


def _baseline(session: Session) -> Json:
    return encode(session.baseline)


def _bound(bound: Bound) -> Json:
    return {
        "metric": bound.metric.name,
        "value": str(bound.value),
        "unit": bound.metric.unit,
        "kind": bound.kind,
        "claim": bound.claim,
        "scope": encode(bound.scope),
    }


def _next_commands(
    session: Session,
    run: Run,
    best: Sequence[Trial],
    files: Mapping[int, Sequence[Path]],
    project: Path,
) -> list[str]:
    where = "" if str(project) == "." else f" --project {project}"
    commands = []
    if best and files.get(best[-1].number):
        certificate = next(p for p in files[best[-1].number] if p.name == "certificate.json")
        commands.append(f"certune check {certificate}")
    if run.stopped in ("budget", "asked", "trouble"):
        more = " --budget time=1h" if run.stopped == "budget" else ""
        commands.append(f"certune resume {session.identity}{more}{where}")
    commands.append(f"certune show {session.identity}{where}")
    return commands

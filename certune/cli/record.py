"""Recorded sessions and trials, as text or JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from certune.acceptance import amount
from certune.cli.costs import cost_lines
from certune.cli.guard import plain
from certune.cli.live import outcome, why
from certune.core.codec import encode
from certune.core.errors import InvalidInput
from certune.core.spec import goal_metrics

if TYPE_CHECKING:
    from certune.core.trial import Trial
    from certune.ledger import Ledger, SessionRecord


def _say(text: str = "") -> None:
    print(plain(text))  # noqa: T201


def _json(data: object) -> None:
    json.dump(data, sys.stdout, indent=2)
    _say()


def show_all(ledger: Ledger, as_json: bool) -> None:
    """List the sessions of a project."""
    sessions = ledger.sessions()
    if as_json:
        _json(
            [
                {"session": s.id, "task": s.spec.task, "agent": s.agent, "trials": s.trials}
                for s in sessions
            ]
        )
        return
    for s in sessions:
        ended = s.ended.reason if s.ended else "open"
        _say(f"{s.id}  {s.spec.task:<26} {s.agent:<10} {s.trials} attempts  {ended}")


def show_session(ledger: Ledger, record: SessionRecord, as_json: bool) -> None:
    """Show one session: its task, bounds, attempts, and the head of the chain."""
    trials = ledger.trials(record.id)
    bounds = ledger.bounds(record.id)
    head = ledger.head()
    if as_json:
        _json(
            {
                "session": record.id,
                "spec": encode(record.spec),
                "spec_digest": record.spec.digest,
                "agent": record.agent,
                "options": encode(record.options),
                "budget": encode(record.budget),
                "ended": encode(record.ended),
                "bounds": [encode(bound) for bound in bounds],
                "trials": [encode(trial) for trial in trials],
                "head": {"seq": head.seq, "hash": head.hash},
            }
        )
        return
    _say(f"session {record.id}: {record.spec.task}, agent {record.agent}")
    _say(f"spec    {record.spec.digest}")
    for bound in bounds:
        value = amount(bound.value, bound.metric.unit)
        _say(f"{bound.kind} bound {bound.metric.name} {value}: {bound.claim}")
    _say()
    metrics = goal_metrics(record.spec.goal)
    for trial in trials:
        verdict = trial.verdict.status.value if trial.verdict else "-"
        values = trial.measurement.values if trial.measurement else {}
        costs = ", ".join(amount(values[m.name], m.unit) for m in metrics if m.name in values)
        _say(f"{trial.number:>4}  {verdict:<8} {outcome(trial):<12} {costs:<16} {why(trial)}")
    _say()
    ended = (
        record.ended.reason if record.ended else f"not yet, or killed: certune resume {record.id}"
    )
    for told in cost_lines(trials):
        _say(f"cost    {told}")
    _say(f"ended   {ended}")
    _say(f"head    {head.seq} {head.hash}")


def show_trial(ledger: Ledger, record: SessionRecord, number: int, as_json: bool) -> None:
    """Show one attempt whole: obligations, counterexample, metrics, files."""
    trials = [trial for trial in ledger.trials(record.id) if trial.number == number]
    if not trials:
        raise InvalidInput(
            f"session {record.id} has no trial {number}",
            remedy=f"it has {record.trials} of them",
        )
    trial = trials[0]
    if as_json:
        _json(encode(trial))
        return
    _say(f"trial {trial.number} of session {trial.session}, by {trial.agent}")
    _say(f"outcome   {outcome(trial)}: {why(trial)}")
    _say(f"payload   {trial.payload_format} {trial.payload}")
    if trial.artefact:
        _say(f"artefact  {trial.artefact}")
    _show_obligations(trial)
    if trial.measurement:
        for name, value in trial.measurement.values.items():
            _say(f"{trial.measurement.taken:<9} {name} = {amount(value)}")
    if trial.isolation is not None:
        _say(f"isolation {trial.isolation}, the weakest under which its programs ran")
    for name, digest in trial.files.items():
        _say(f"file      {name} {digest}")


def _show_obligations(trial: Trial) -> None:
    if trial.verdict is None:
        return
    for obligation in trial.verdict.obligations:
        _say(
            f"{obligation.status.value:<9} {obligation.name} ({obligation.method}, "
            f"{obligation.seconds:.3f} s): {obligation.claim}"
        )
        if obligation.counterexample:
            _say(f"          {obligation.counterexample.sentence}")

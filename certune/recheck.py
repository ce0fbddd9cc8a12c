"""`certune check`: repeat the evidence of a certificate from specification and files alone.

Nothing recorded is believed: not the ledger, not the certificate's own statuses or numbers.
The task is rebuilt from the specification in the certificate, the artefact is parsed and judged
again, every file is derived and compared, every bound is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from certune import plugins
from certune.acceptance import Incumbent, decide, gap
from certune.certificate import Acceptance
from certune.core.candidate import Payload
from certune.core.errors import InfrastructureError, NotRepeatable
from certune.core.family import Context, Task
from certune.core.measurement import Bound
from certune.core.obligation import Obligation
from certune.core.spec import goal_metrics
from certune.core.status import Status
from certune.judging import Judged, judge

PATIENCE = 1800.0
"""Seconds after which no further bound is repeated: a certificate may hold any number of them."""

Answer: TypeAlias = Literal["confirmed", "refuted", "not-repeatable"]


@dataclass(frozen=True)
class Finding:
    """One thing that was repeated, and what came out."""

    subject: str
    answer: Answer
    detail: str


@dataclass(frozen=True)
class Report:
    """All findings. Refuted if one is; confirmed only if every one is.

    `isolation` is the weakest under which programs ran for the artefact, None where none did.
    """

    findings: tuple[Finding, ...] = field(default=())
    isolation: str | None = None

    @property
    def answer(self) -> Answer:
        """The answer as a whole."""
        answers = {finding.answer for finding in self.findings}
        if "refuted" in answers:
            return "refuted"
        return "not-repeatable" if "not-repeatable" in answers or not answers else "confirmed"


def recheck(acceptance: Acceptance, files: Mapping[str, bytes], context: Context) -> Report:
    """Repeat an acceptance. `files` are the certificate's subjects, matched by digest already.

    Raises:
        InvalidInput: the specification in the certificate is not one.
    """
    try:
        task = plugins.open_task(acceptance.spec)
        artefact = files[acceptance.artefact]
        judged = judge(task, Payload(task.recognise(artefact), artefact), context)
    except (NotRepeatable, InfrastructureError) as error:
        return Report((Finding("task", "not-repeatable", str(error)),))
    findings = [*_obligations(acceptance, judged), *_files(judged, files, acceptance.artefact)]
    if judged.measurement is not None:
        findings += _metrics(acceptance, judged)
        findings += _bounds(acceptance, task, context)
        findings += _decision(acceptance, task, judged, context)
    return Report(tuple(findings), judged.isolation)


def _obligations(acceptance: Acceptance, judged: Judged) -> list[Finding]:
    found = []
    for obligation in judged.verdict.obligations:
        told = obligation.claim
        if obligation.counterexample is not None:
            told = obligation.counterexample.sentence
        told = f"{obligation.status.value}: {told}"
        # Whatever floors a specification sets, a counterexample confirms nothing.
        held = obligation.met and obligation.status >= Status.TESTED
        found.append(Finding(obligation.name, "confirmed" if held else "refuted", told))
    shown = {o.name: o for o in judged.verdict.obligations}
    for claimed in acceptance.obligations:
        repeated = shown.get(claimed.name)
        if repeated is None:
            found.append(Finding(claimed.name, "refuted", "claimed, and there is no such thing"))
        elif repeated.status < claimed.status:
            told = f"claimed {claimed.status.value}, found {repeated.status.value}"
            found.append(Finding(claimed.name, "refuted", told))
        elif _words(repeated) != _words(claimed):
            found.append(Finding(claimed.name, "refuted", "claimed in other words than are shown"))
    if not judged.verdict.met:
        found.append(Finding("verdict", "refuted", "an obligation is not met"))
    return found


def _words(obligation: Obligation) -> tuple[str, str, str]:
    """What an obligation says, apart from how it came out."""
    return obligation.claim, obligation.method, obligation.check


def _files(judged: Judged, files: Mapping[str, bytes], artefact: str) -> list[Finding]:
    """What is used is what was judged: each file must be the one derived from the artefact."""
    if judged.candidate is None:
        return []
    derived = {judged.candidate.artefact.name: judged.candidate.artefact.data}
    derived |= {file.name: file.data for file in judged.candidate.files}
    found = []
    for name, data in files.items():
        if name not in derived:
            found.append(Finding(name, "refuted", "no such file follows from the artefact"))
        elif derived[name] != data:
            found.append(Finding(name, "refuted", "differs from what follows from the artefact"))
        else:
            found.append(Finding(name, "confirmed", "is what was judged"))
    return found


def _metrics(acceptance: Acceptance, judged: Judged) -> list[Finding]:
    claimed, shown = acceptance.measurement, judged.measurement
    if claimed is None or shown is None:
        return [Finding("metrics", "refuted", "claimed without metrics, which the task has")]
    if claimed.taken != shown.taken:
        told = f"claimed {claimed.taken}, found {shown.taken}"
        return [Finding("metrics", "refuted", told)]
    if claimed.taken == "measured":
        told = "measured values belong to the machine they were taken on"
        return [Finding("metrics", "not-repeatable", told)]
    for name in sorted(set(claimed.values) | set(shown.values)):
        if claimed.values.get(name) != shown.values.get(name):
            told = f"{name}: claimed {claimed.values.get(name)}, found {shown.values.get(name)}"
            return [Finding("metrics", "refuted", told)]
    if not shown.values:
        return []
    return [Finding("metrics", "confirmed", f"all {len(shown.values)} values are the same")]


def _bounds(acceptance: Acceptance, task: Task, context: Context) -> list[Finding]:
    found = []
    began = time.monotonic()
    for bound in acceptance.bounds:
        subject = f"bound {bound.name}"
        if time.monotonic() - began > PATIENCE:
            told = f"the bounds before it took more than {PATIENCE:.0f} s"
            found.append(Finding(subject, "not-repeatable", told))
            continue
        try:
            held = task.recheck(bound, context)
        except (NotRepeatable, InfrastructureError) as error:
            found.append(Finding(subject, "not-repeatable", str(error)))
            continue
        found.append(Finding(subject, "confirmed" if held else "refuted", bound.claim))
    return found


def _decision(
    acceptance: Acceptance, task: Task, judged: Judged, context: Context
) -> list[Finding]:
    """The candidate is better than the baseline, and beats no bound that holds.

    Which incumbent stood at that time is the ledger's word and is not repeated; that the
    candidate beats the values claimed of it, and the specification's own baseline, is.
    """
    if judged.measurement is None:
        return []
    if judged.measurement.taken != "measured" and acceptance.comparison is not None:
        return [Finding("decision", "refuted", "claimed measured, and nothing is measured")]
    incumbent = Incumbent()
    baseline = task.baseline()
    if acceptance.baseline_name != (baseline.name if baseline else ""):
        return [Finding("baseline", "refuted", "not the baseline of the specification")]
    if baseline is not None:
        base = judge(task, baseline.payload, context)
        if base.measurement is not None:
            incumbent = incumbent.improved(
                task.spec.goal, base.measurement.values, f"the baseline {baseline.name}"
            )
            claimed = acceptance.baseline
            if claimed is None or (
                claimed.values != base.measurement.values and base.measurement.taken != "measured"
            ):
                return [Finding("baseline", "refuted", "its metrics are not those claimed")]
    bounds: list[Bound] = [*task.bounds(context), *acceptance.bounds]
    decision = decide(
        task.spec.goal, judged.verdict, judged.measurement, incumbent, bounds, acceptance.comparison
    )
    if not decision.accepted:
        return [Finding("decision", "refuted", decision.why)]
    stood = Incumbent(dict(acceptance.incumbent))
    beaten = decide(
        task.spec.goal, judged.verdict, judged.measurement, stood, (), acceptance.comparison
    )
    if not beaten.accepted:
        return [Finding("incumbent", "refuted", f"claimed to be beaten: {beaten.why}")]
    if decision.ground != acceptance.decision.ground:
        told = f"claimed {acceptance.decision.ground}, found {decision.ground}"
        return [Finding("decision", "refuted", told)]
    values = judged.measurement.values
    gaps = {m.name: gap(m, values[m.name], bounds) for m in goal_metrics(task.spec.goal)}
    if {name: value for name, value in gaps.items() if value is not None} != acceptance.gaps:
        return [Finding("gaps", "refuted", "the distances to the bounds are not those claimed")]
    if judged.measurement.taken == "measured":
        told = "a measured comparison belongs to the machine it was made on"
        return [Finding("decision", "not-repeatable", told)]
    return [Finding("decision", "confirmed", decision.why)]

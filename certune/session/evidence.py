"""The evidence of an acceptance: queries that were kept, and the certificate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from certune.acceptance import Incumbent, gap
from certune.certificate import Acceptance, build, seal
from certune.core.candidate import File
from certune.core.family import Task
from certune.core.measurement import Bound
from certune.core.proof import Answer, Prover, Query
from certune.core.spec import goal_metrics
from certune.core.trial import Trial
from certune.environment import fingerprint
from certune.session.standing import Reference
from certune.signing import Signer


class Keeping:
    """A prover that keeps the text of every refuted query, for the evidence of what it shows.

    `left` is how many seconds the session has left; no query gets more.
    """

    def __init__(self, prover: Prover, left: Callable[[], float]) -> None:
        self._prover = prover
        self._left = left
        self._kept: dict[str, bytes] = {}

    def decide(self, query: Query, *, seconds: float) -> Answer:
        """Decide a query; see `certune.core.Prover`."""
        answer = self._prover.decide(query, seconds=max(0.0, min(seconds, self._left())))
        if answer.result == "unsat":
            self._kept[query.digest] = query.text
        return answer

    def texts(self, bound: Bound) -> list[bytes]:
        """The query that a bound rests on, where it rests on one that was kept."""
        query = bound.evidence.get("query")
        return [self._kept[query]] if isinstance(query, str) and query in self._kept else []


def certify(
    task: Task,
    trial: Trial,
    files: Sequence[File],
    *,
    incumbent: Incumbent,
    baseline: Reference | None,
    bounds: Sequence[Bound],
    signer: Signer | None,
) -> bytes:
    """The certificate of an accepted trial; `files` begin with the canonical artefact."""
    assert trial.verdict is not None
    assert trial.decision is not None
    values = trial.measurement.values if trial.measurement else {}
    gaps = {
        metric.name: gap(metric, values[metric.name], bounds)
        for metric in goal_metrics(task.spec.goal)
        if metric.name in values
    }
    measured = trial.measurement is not None and trial.measurement.taken == "measured"
    machine = fingerprint(isolation=trial.isolation, measured=measured)
    acceptance = Acceptance(
        spec=task.spec,
        spec_digest=task.spec.digest,
        status=trial.verdict.status,
        obligations=trial.verdict.obligations,
        measurement=trial.measurement,
        comparison=trial.comparison,
        baseline_name=baseline.name if baseline else "",
        baseline=baseline.measurement if baseline else None,
        incumbent=dict(incumbent.values),
        bounds=tuple(bounds),
        gaps={name: value for name, value in gaps.items() if value is not None},
        decision=trial.decision,
        payload=trial.payload,
        payload_format=trial.payload_format,
        artefact=files[0].name,
        artefact_format=task.recognise(files[0].data),
        environment=machine,
        versions={"certune": machine.certune, **machine.packages},
        session=trial.session,
        agent=trial.agent,
        trial=trial.number,
        created=trial.started,
        provenance=trial.provenance,
    )
    return seal(build(acceptance, files), signer)

"""What the next candidate has to beat: the baseline, rivals, and what was accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from certune.acceptance import Incumbent, best_bound
from certune.core.agent import StartingPoint
from certune.core.candidate import Candidate, Payload
from certune.core.errors import Crashed, InvalidInput
from certune.core.family import Context, Task
from certune.core.measurement import Bound, Measurement
from certune.core.spec import goal_metrics
from certune.judging import Judged, judge
from certune.session.plan import Rival


@dataclass(frozen=True)
class Reference:
    """What results are compared with: a name and its metrics."""

    name: str
    measurement: Measurement


class Standing:
    """The incumbent of a session, entry by entry of its goal, with the candidates behind it."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._goal = task.spec.goal
        self._holders: dict[str, Candidate] = {}
        self.incumbent = Incumbent()
        self.baseline: Reference | None = None
        self.starts: list[StartingPoint] = []

    def take(self, name: str, judged: Judged) -> None:
        """Let a judged candidate take the place of the incumbent wherever it is better."""
        if judged.measurement is None or judged.candidate is None:
            return
        before = self.incumbent
        self.incumbent = before.improved(self._goal, judged.measurement.values, name)
        for metric, holder in self.incumbent.names.items():
            if before.names.get(metric) != holder:
                self._holders[metric] = judged.candidate

    def begin(
        self, rivals: Iterable[Rival], context: Context, *, lenient: bool = False
    ) -> list[Rival]:
        """Judge the baseline and the rivals, let them stand, and return those that do.

        A rival that is not correct is left out when `lenient`.

        Raises:
            Crashed: the task's own baseline is not correct.
            InvalidInput: a rival is not correct.
        """
        standing: list[Rival] = []
        baseline = self._task.baseline()
        if baseline is not None:
            judged = judge(self._task, baseline.payload, context)
            if judged.measurement is None:
                raise Crashed(
                    f"the task's own baseline {baseline.name!r} is {_failure(judged)}; "
                    "this is a defect of the task"
                )
            self.baseline = Reference(baseline.name, judged.measurement)
            self._begin_with(f"the baseline {baseline.name}", baseline.payload, judged)
        for rival in rivals:
            judged = judge(self._task, rival.payload, context)
            if not judged.verdict.met and lenient:
                continue
            if not judged.verdict.met:
                raise InvalidInput(
                    f"{rival.name} is {_failure(judged)}",
                    place="incumbent",
                    remedy="name another, or 'baseline' for the baseline alone",
                )
            self._begin_with(rival.name, rival.payload, judged)
            standing.append(rival)
        return standing

    def _begin_with(self, name: str, payload: Payload, judged: Judged) -> None:
        values = judged.measurement.values if judged.measurement else {}
        self.starts.append(StartingPoint(name, payload, values))
        self.take(name, judged)

    @property
    def rival(self) -> Candidate | None:
        """The candidate that a measured one is compared with."""
        names = (metric.name for metric in goal_metrics(self._goal))
        return next((self._holders[name] for name in names if name in self._holders), None)

    def meets(self, bounds: Iterable[Bound]) -> bool:
        """Whether every goal metric of the incumbent equals its strongest proven bound."""
        known = tuple(bounds)
        for metric in goal_metrics(self._goal):
            bound = best_bound(metric, known)
            if bound is None or self.incumbent.values.get(metric.name) != bound.value:
                return False
        return True


def _failure(judged: Judged) -> str:
    failure = judged.verdict.failure
    if failure is None:
        return "without metrics"
    told = failure.counterexample.sentence if failure.counterexample else failure.claim
    return f"{failure.status.value}: {told}"

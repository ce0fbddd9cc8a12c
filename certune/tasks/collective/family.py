"""The family `collective`: schedules for a topology, a collective and a size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from certune.core.errors import InvalidInput, NotRepeatable, nearest
from certune.core.family import TaskInfo
from certune.core.spec import Limits, TaskSpec
from certune.core.status import Status
from certune.tasks.collective.collective import Kind
from certune.tasks.collective.parameters import (
    from_data,
    read_parameters,
    task_parameters,
    to_data,
)
from certune.tasks.collective.task import CollectiveTask

_SUMMARIES: Mapping[Kind, str] = {
    "allgather": "every rank ends with the data of all",
    "reduce-scatter": "every rank ends with its part of the sum",
    "allreduce": "every rank ends with the whole sum",
    "broadcast": "every rank ends with the root's data",
    "reduce": "the root ends with the whole sum",
    "gather": "the root ends with the data of all",
    "scatter": "every rank ends with its part of the root's data",
    "alltoall": "every rank ends with its part of everybody's data",
}


class CollectiveFamily:
    """Collective schedules, proven by exact data-flow, costed by alpha-beta with contention."""

    name = "collective"
    semantics = 1

    def tasks(self) -> Sequence[TaskInfo]:
        """The eight collectives."""
        return tuple(
            TaskInfo(
                f"{self.name}/{kind}",
                summary,
                task_parameters(kind),
                f"certune optimize {self.name}/{kind} -p topology=dgx1",
            )
            for kind, summary in _SUMMARIES.items()
        )

    def spec(self, task: str, parameters: Mapping[str, str]) -> TaskSpec:
        """The specification of ``collective/KIND``; see `certune.core.Family.spec`."""
        kind = _kind(task)
        chosen, _ = read_parameters(kind, parameters)
        return TaskSpec(task, self.semantics, to_data(chosen), chosen.goal)

    def open(self, spec: TaskSpec) -> CollectiveTask:
        """The task that a specification describes; see `certune.core.Family.open`.

        Floors and limits other than those of `spec` are refused.
        """
        kind = _kind(spec.task)
        if spec.semantics != self.semantics:
            raise NotRepeatable(
                f"this certune reads version {self.semantics} of the family {self.name}, the "
                f"specification asks for version {spec.semantics}"
            )
        parameters = from_data(kind, spec.parameters)
        if spec.goal != parameters.goal:
            raise InvalidInput("the goal is not that of the parameters", place="goal")
        # A certificate brings its own specification: what is refuted must not meet its floors.
        if any(floor is not Status.PROVED for floor in spec.floors.values()):
            raise InvalidInput("everything about a schedule must be proved", place="floors")
        if spec.limits != Limits():
            raise InvalidInput("the limits are not those of this family", place="limits")
        return CollectiveTask(spec, kind, parameters)


def _kind(task: str) -> Kind:
    family, _, name = task.partition("/")
    for kind in _SUMMARIES:
        if family == CollectiveFamily.name and kind == name:
            return kind
    raise InvalidInput(f"there is no task {task[:60]!r}", remedy=nearest(name[:60], _SUMMARIES))

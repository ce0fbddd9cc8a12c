"""The files that runtimes load, derived from a schedule and proven themselves.

A file is never believed because of where it came from: it is read back from its bytes, verified
as the program that the runtime will run, and held against the task (collective, ranks, links).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from certune.core.candidate import File
from certune.core.errors import InvalidInput, InvalidPayload
from certune.core.obligation import Obligation
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.msccl.program import TARGETS as XML_TARGETS
from certune.tasks.collective.schedule import Schedule
from certune.tasks.collective.targets import plan, xml
from certune.tasks.collective.targets.plan import PlanFile
from certune.tasks.collective.targets.xml import XmlFile
from certune.tasks.collective.topology import Topology

TARGETS: Mapping[str, str] = {
    "microsoft": "MSCCL XML for microsoft/msccl (NCCL 2.12)",
    "azure": "MSCCL XML for Azure's msccl-executor-nccl",
    "rccl": "MSCCL XML for AMD's RCCL",
    "mscclpp": "an MSCCL++ execution plan",
}

_FORMS: tuple[XmlFile | PlanFile, ...] = (
    *(XmlFile(target, in_place) for target in XML_TARGETS for in_place in (False, True)),
    PlanFile(False),
    PlanFile(True),
)
_BY_NAME = {form.name: form for form in _FORMS}


def derive(schedule: Schedule, wanted: Sequence[str]) -> tuple[File, ...]:
    """The files of a schedule for the wanted targets; for all that can be when none is named.

    None of a schedule that has fewer sends than chunks that must move: it is wrong.

    Raises:
        InvalidPayload: a target was asked for by name, and has no file for this schedule.
    """
    # A chunk that must move takes a send; where there are too few, the schedule is refuted by its
    # data-flow, and no time is to go into laying out pieces that never move.
    collective = schedule.collective
    few = schedule.sends * collective.ranks < collective.chunks * (collective.ranks - 1)
    if "none" in wanted or few:
        return ()
    files = []
    for form in _FORMS:
        if wanted and form.target not in wanted:
            continue
        try:
            files.append(form.write(schedule))
        except InvalidInput as error:
            if wanted and not form.in_place:
                raise InvalidPayload(
                    f"no file for {form.target}: {error.message}",
                    place=error.place,
                    remedy=error.remedy or "leave the target out, or send less over one link",
                ) from None
    return tuple(files)


def check(file: File, collective: Collective, topology: Topology) -> list[Obligation]:
    """What is shown of a file that `derive` made, read back from its bytes."""
    form = _BY_NAME[file.name]
    if isinstance(form, XmlFile):
        return xml.check(form, file, collective, topology)
    return plan.check(form, file, collective, topology)

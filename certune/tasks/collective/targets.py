"""The files that runtimes load, derived from a schedule and proven themselves.

A file is never believed because of where it came from: it is read back from its bytes, verified
as the program that the runtime will run, and held against the task (collective, ranks, links).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from certune.core.candidate import File
from certune.core.errors import InvalidInput, InvalidPayload
from certune.core.obligation import Counterexample, Obligation
from certune.core.status import Status
from certune.tasks.collective.collective import Collective, Kind
from certune.tasks.collective.msccl.limits import LIMITS
from certune.tasks.collective.msccl.lints import lint
from certune.tasks.collective.msccl.lower import lower
from certune.tasks.collective.msccl.program import Program, Target
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.verify import verify
from certune.tasks.collective.msccl.write import write
from certune.tasks.collective.schedule import Schedule
from certune.tasks.collective.topology import Topology

TARGETS: Mapping[Target, str] = {
    "microsoft": "microsoft/msccl (NCCL 2.12)",
    "azure": "Azure's msccl-executor-nccl",
    "rccl": "AMD's RCCL",
}

# Collectives that applications also call in place; for these a second file is written.
_IN_PLACE: frozenset[Kind] = frozenset(("allgather", "allreduce", "reduce-scatter"))


@dataclass(frozen=True)
class _Form:
    """What a file is written for: a runtime, and calls in place or out of place."""

    target: Target
    in_place: bool

    @property
    def name(self) -> str:
        return f"{self.target}{'-in-place' if self.in_place else ''}.xml"


_FORMS = {form.name: form for t in TARGETS for form in (_Form(t, False), _Form(t, True))}


def derive(schedule: Schedule, wanted: Sequence[str]) -> tuple[File, ...]:
    """The files of a schedule for the wanted targets; for all that can be when none is named.

    Raises:
        InvalidPayload: a target was asked for by name, and has no file for this schedule.
    """
    if "none" in wanted:
        return ()
    files = []
    for form in _FORMS.values():
        if wanted and form.target not in wanted:
            continue
        if form.in_place and schedule.collective.kind not in _IN_PLACE:
            continue
        try:
            files.append(_write(schedule, form))
        except InvalidInput as error:
            if wanted and not form.in_place:
                raise InvalidPayload(
                    f"no file for {form.target}: {error.message}",
                    place=error.place,
                    remedy=error.remedy or "leave the target out, or send less over one link",
                ) from None
    return tuple(files)


def _write(schedule: Schedule, form: _Form) -> File:
    # A rank keeps at least one node for each two of its sends and receives (a fused step).
    most = LIMITS[form.target].nodes
    ranks = schedule.collective.ranks
    sent = np.bincount(schedule.source, minlength=ranks)
    received = np.bincount(schedule.destination, minlength=ranks)
    if int(np.maximum(sent, received).max()) > most:
        raise InvalidInput(f"a rank would keep more than {most} XML nodes")
    program = lower(schedule, form.target, in_place=form.in_place)
    return File(form.name, write(program, form.target))


def check(file: File, collective: Collective, topology: Topology) -> list[Obligation]:
    """What is shown of a file, read back from its bytes."""
    form = _FORMS[file.name]
    began = time.perf_counter()
    try:
        program = read(file.data)
        report = verify(program, target=form.target, root=collective.root, max_bytes=0)
    except InvalidInput as error:
        told = Counterexample(f"the file that was written is not read back: {error}")
        return [_obligation(file, "readable", "the file can be read", told, began)]
    found = [
        _obligation(
            file,
            "task",
            f"the file performs {collective.kind} over {collective.ranks} ranks and uses links "
            f"of {topology.name} alone",
            _other_task(program, collective, topology, form),
            began,
        ),
        _obligation(
            file,
            "loadable",
            f"{LIMITS[form.target].name} loads the file",
            _refused(program, form.target, file.data),
            began,
        ),
    ]
    found += [replace(o, name=f"{file.name}/{o.name}") for o in report.obligations]
    return found


def _obligation(
    file: File, name: str, claim: str, counterexample: Counterexample | None, began: float
) -> Obligation:
    return Obligation(
        name=f"{file.name}/{name}",
        claim=claim,
        method="dataflow",
        status=Status.REFUTED if counterexample else Status.PROVED,
        check=f"collective/file-{name}",
        seconds=round(time.perf_counter() - began, 6),
        counterexample=counterexample,
    )


def _other_task(
    program: Program, collective: Collective, topology: Topology, form: _Form
) -> Counterexample | None:
    header = program.header
    asked = collective.kind.replace("-", "")
    if header.collective.replace("_", "") != asked:
        return Counterexample(f"the file performs {header.collective}, asked is {collective.kind}")
    if program.ranks != topology.ranks:
        return Counterexample(f"the file has {program.ranks} ranks, asked are {topology.ranks}")
    if bool(header.in_place) != form.in_place:
        return Counterexample("the file is for the other placement of buffers")
    sending = np.flatnonzero(program.send >= 0)
    missing = topology.link_index(program.rank[sending], program.send[sending]) < 0
    if missing.any():
        row = int(sending[np.flatnonzero(missing)[0]])
        source, destination = int(program.rank[row]), int(program.send[row])
        return Counterexample(
            f"thread block {int(program.block[row])} of rank {source} sends to rank "
            f"{destination}, and {topology.name} has no such link",
            {"source": source, "destination": destination},
        )
    return None


def _refused(program: Program, target: Target, data: bytes) -> Counterexample | None:
    for found in lint(program, target, data=data):
        if found.severity == "error":
            return Counterexample(f"line {found.line}: {found.sentence}", {"lint": found.name})
    return None

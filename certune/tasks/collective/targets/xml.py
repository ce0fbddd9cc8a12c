"""MSCCL XML files for the runtimes that load them, in and out of place."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from certune.core.candidate import File
from certune.core.errors import InvalidInput
from certune.core.obligation import Counterexample, Obligation
from certune.tasks.collective.collective import Collective, Kind
from certune.tasks.collective.msccl.limits import LIMITS
from certune.tasks.collective.msccl.lints import lint
from certune.tasks.collective.msccl.lower import lower
from certune.tasks.collective.msccl.program import Program, Target
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.verify import verify
from certune.tasks.collective.msccl.write import write
from certune.tasks.collective.schedule import Schedule
from certune.tasks.collective.targets.shown import obligation
from certune.tasks.collective.topology import Topology

# Collectives that applications also call in place; for these a second file is written.
IN_PLACE: frozenset[Kind] = frozenset(("allgather", "allreduce", "reduce-scatter"))


@dataclass(frozen=True)
class XmlFile:
    """What a file is written for: a runtime, and calls in place or out of place."""

    target: Target
    in_place: bool

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.target}{'-in-place' if self.in_place else ''}.xml"

    def write(self, schedule: Schedule) -> File:
        """The file that performs `schedule`.

        Raises:
            InvalidInput: this runtime cannot run it, and why.
        """
        if self.in_place and schedule.collective.kind not in IN_PLACE:
            raise InvalidInput(f"{schedule.collective.kind} is not called in place")
        # A rank keeps at least one node for each two of its sends and receives (a fused step).
        most = LIMITS[self.target].nodes
        ranks = schedule.collective.ranks
        sent = np.bincount(schedule.source, minlength=ranks)
        received = np.bincount(schedule.destination, minlength=ranks)
        if int(np.maximum(sent, received).max()) > most:
            raise InvalidInput(f"a rank would keep more than {most} XML nodes")
        program = lower(schedule, self.target, in_place=self.in_place)
        return File(self.name, write(program, self.target))


def check(
    form: XmlFile, file: File, collective: Collective, topology: Topology
) -> list[Obligation]:
    """What is shown of a file, read back from its bytes."""
    began = time.perf_counter()
    try:
        program = read(file.data)
        report = verify(program, target=form.target, root=collective.root, max_bytes=0)
    except InvalidInput as error:
        told = Counterexample(f"it is not read back: {error}")
        return [obligation(file, "readable", "the file can be read", told, began)]
    found = [
        obligation(
            file,
            "task",
            f"the file performs {collective.kind} over {collective.ranks} ranks and uses links "
            f"of {topology.name} alone",
            _other_task(program, collective, topology, form),
            began,
        ),
        obligation(
            file,
            "loadable",
            f"{LIMITS[form.target].name} loads the file",
            _refused(program, form.target, file.data),
            began,
        ),
    ]
    return found + [replace(o, name=f"{file.name}/{o.name}") for o in report.obligations]


def _other_task(
    program: Program, collective: Collective, topology: Topology, form: XmlFile
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

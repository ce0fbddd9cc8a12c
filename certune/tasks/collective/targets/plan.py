"""MSCCL++ execution plans, in and out of place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from certune.core.candidate import File
from certune.core.errors import InvalidInput
from certune.core.obligation import Counterexample, Obligation
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.mscclpp.lower import Protocol, lower
from certune.tasks.collective.mscclpp.pack import PeerChannel
from certune.tasks.collective.mscclpp.plan import Operation, Plan
from certune.tasks.collective.mscclpp.read import read_plan
from certune.tasks.collective.mscclpp.verify import check_plan
from certune.tasks.collective.mscclpp.write import dump_plan
from certune.tasks.collective.schedule import Schedule
from certune.tasks.collective.targets.shown import obligation
from certune.tasks.collective.targets.xml import IN_PLACE
from certune.tasks.collective.topology import Topology

MAX_SENDS = 100_000  # the executor has room for far fewer; laying out more takes minutes


@dataclass(frozen=True)
class PlanFile:
    """A plan for calls in place or out of place, over channels of one kind, by one protocol."""

    in_place: bool
    channel: PeerChannel = "memory"
    protocol: Protocol = "Simple"

    target = "mscclpp"

    @property
    def name(self) -> str:
        """The file's name."""
        return f"mscclpp{'-in-place' if self.in_place else ''}.json"

    def write(self, schedule: Schedule) -> File:
        """The plan that performs `schedule`.

        Raises:
            InvalidInput: MSCCL++ cannot execute it, and why.
        """
        if schedule.sends > MAX_SENDS:
            raise InvalidInput(f"{schedule.sends} sends; a plan is written for up to {MAX_SENDS}")
        if self.in_place and schedule.collective.kind not in IN_PLACE:
            raise InvalidInput(f"{schedule.collective.kind} is not called in place")
        plan = lower(schedule, inplace=self.in_place, channel=self.channel, protocol=self.protocol)
        return File(self.name, dump_plan(plan))


def check(
    form: PlanFile, file: File, collective: Collective, topology: Topology
) -> list[Obligation]:
    """What is shown of a plan, read back from its bytes."""
    began = time.perf_counter()
    try:
        plan = read_plan(file.data)
        report = check_plan(plan)
    except InvalidInput as error:
        told = Counterexample(f"it is not read back: {error}")
        return [obligation(file, "readable", "the file can be read", told, began)]
    claim = (
        f"the plan performs {collective.kind} over {collective.ranks} ranks and moves data over "
        f"links of {topology.name} alone"
    )
    first = obligation(file, "task", claim, _other_task(plan, collective, topology, form), began)
    return [first, *(replace(o, name=f"{file.name}/{o.name}") for o in report.obligations)]


def _other_task(
    plan: Plan, collective: Collective, topology: Topology, form: PlanFile
) -> Counterexample | None:
    if plan.collective != collective.kind.replace("-", ""):
        return Counterexample(f"the plan performs {plan.collective}, asked is {collective.kind}")
    if plan.ranks != topology.ranks:
        return Counterexample(f"the plan has {plan.ranks} ranks, asked are {topology.ranks}")
    if plan.inplace != form.in_place:
        return Counterexample("the plan is for the other placement of buffers")
    for source, destination in _moves(plan):
        if topology.find(source, destination) is None:
            return Counterexample(
                f"data goes from rank {source} to rank {destination}, and {topology.name} has no "
                "such link",
                {"source": source, "destination": destination},
            )
    return None


def _moves(plan: Plan) -> Iterator[tuple[int, int]]:
    """From which rank to which data goes; a switch channel joins every two of its ranks."""
    for rank, gpu in enumerate(plan.gpus):
        for channel in gpu.switch:
            yield from ((a, b) for a in channel.ranks for b in channel.ranks if a != b)
        for block in gpu.threadblocks:
            for op in _flat(block.operations):
                kind = op.channel_type or "memory"
                for operands, reads in ((op.sources, True), (op.destinations, False)):
                    for operand in operands:
                        if operand.reference != "remote":
                            continue
                        buffer = gpu.remote_buffers[block.remote[kind][operand.id]]
                        yield (buffer.rank, rank) if reads else (rank, buffer.rank)


def _flat(operations: tuple[Operation, ...]) -> Iterator[Operation]:
    for op in operations:
        yield op
        yield from _flat(op.operations)

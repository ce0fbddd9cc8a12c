"""From an execution plan to the native schedule that it performs, where there is one.

The plan is verified first. Whatever a rank puts to another, reads from it, or sends it as packets
is one send; it adds where it becomes a summand there, else it replaces. Hops through scratch that
only carry a value on are no sends of their own. What comes out is verified against the same
collective.

A native schedule keeps one value for each rank and chunk and moves chunks that are the same for
every size. Plans that do otherwise are refused with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from certune.core import InvalidInput
from certune.tasks.collective.collective import Collective, Kind
from certune.tasks.collective.dataflow import verify as verify_schedule
from certune.tasks.collective.mscclpp.earliest import earliest
from certune.tasks.collective.mscclpp.plan import SWITCHED, Plan
from certune.tasks.collective.mscclpp.provenance import Values, follow
from certune.tasks.collective.mscclpp.semantics.execution import execute
from certune.tasks.collective.mscclpp.semantics.program import build
from certune.tasks.collective.mscclpp.semantics.space import Space
from certune.tasks.collective.mscclpp.sizes import Case, scope
from certune.tasks.collective.mscclpp.verify import check_plan
from certune.tasks.collective.mscclpp.versions import Version, chains
from certune.tasks.collective.schedule import MAX_STEPS, Schedule, from_sends

_KINDS: dict[str, Kind] = {
    "allreduce": "allreduce",
    "allgather": "allgather",
    "reducescatter": "reduce-scatter",
    "alltoall": "alltoall",
}


def lift(plan: Plan) -> Schedule:
    """The native schedule of a right plan; both are verified.

    Pieces are the plan's chunks, or their parts where thread-block groups treat the parts of a
    chunk in different ways. Transfers that no output depends on are left out where a schedule
    cannot say them.

    Raises:
        InvalidInput: the plan is not proved, or does what a schedule cannot say; which of them.
    """
    _sayable(plan)
    failure = check_plan(plan).verdict.failure
    if failure is not None:
        told = failure.counterexample.sentence if failure.counterexample else failure.claim
        raise InvalidInput(
            f"the plan is not proved, and so it is not converted: {failure.name} is "
            f"{failure.status.value}: {told}",
            place="plan",
        )
    case = scope(plan).cases[0]
    space = Space(plan, case.units, case.scratch_units)
    values = follow(execute(build(plan, space, case.iterations)))
    everything = range(len(values.rank))
    live = values.live()
    needed = [node for node in everything if live[node]]
    try:
        schedule = _schedule(plan, case, values, everything)
    except InvalidInput:
        if len(needed) == len(everything):
            raise
        schedule = _schedule(plan, case, values, needed)
    return schedule


def _sayable(plan: Plan) -> None:
    """Refuse what no schedule says, whatever may be proved of it."""
    if plan.collective not in _KINDS:
        raise InvalidInput(
            f"what {plan.collective!r} must compute is not known, so that no schedule of it can "
            "be verified",
            place="collective",
        )
    for rank, gpu in enumerate(plan.gpus):
        for number, block in enumerate(gpu.threadblocks):
            for index, op in enumerate(block.operations):
                here = f"rank {rank}, thread block {number}, operation {index} ({op.name})"
                if op.name in SWITCHED:
                    raise InvalidInput(
                        f"{here} acts on all ranks of a switch at once, and a schedule has sends "
                        "from one rank to another only",
                        place="plan",
                    )
                if op.operations:
                    raise InvalidInput(
                        f"{here} repeats for every {op.unit_bytes} bytes, and a schedule has the "
                        "same pieces at every size",
                        place="plan",
                    )
    if not scope(plan).exact:
        raise InvalidInput(
            "thread-block groups cut the plan's chunks differently at different sizes, and a "
            "schedule has the same pieces at every size",
            place="plan",
        )


def _schedule(plan: Plan, case: Case, values: Values, chosen: Sequence[int]) -> Schedule:
    """The verified schedule of the chosen values.

    Raises:
        InvalidInput: no schedule performs them.
    """
    versions = chains(values, chosen)
    step = _steps(values, versions)
    sends = [
        (step[node], values.rank[values.origin[node]], values.rank[node],
         values.chunk[node], version.adds)
        for chain in versions
        for version in chain
        for node in version.writers
    ]  # fmt: skip
    gpu = plan.gpus[0]
    kind = _KINDS[plan.collective]
    if kind == "allgather":
        pieces = plan.ranks * gpu.input_chunks
    elif kind == "reduce-scatter":
        pieces = plan.ranks * gpu.output_chunks
    else:
        pieces = gpu.input_chunks
    schedule = _coarse(
        from_sends(Collective(kind, plan.ranks, pieces * case.units), sends), case.units
    )
    if schedule.steps > MAX_STEPS:
        raise InvalidInput(f"{schedule.steps} steps; a schedule has up to {MAX_STEPS}")
    wrong = verify_schedule(schedule)
    if wrong is not None:
        raise InvalidInput(f"no schedule performs this plan: {wrong.sentence}", place="plan")
    return schedule


def _steps(values: Values, versions: list[list[Version]]) -> dict[int, int]:
    """A step for every send: after what makes what it reads, not before what reads what it
    replaces."""
    row: dict[int, int] = {}
    for chain in versions:
        for version in chain:
            for node in version.writers:
                row[node] = len(row)
    following: list[list[tuple[int, int]]] = [[] for _ in row]
    for chain in versions:
        for version in chain:
            following.append([(row[node], 0) for node in version.readers])
            for node in version.writers:
                following[row[node]].append((len(following) - 1, 1))
        for before, after in pairwise(chain):
            together = 0 if before.adds and after.adds else 1
            following.append([(row[node], 0) for node in after.writers])
            for node in before.readers:
                following[row[node]].append((len(following) - 1, 0))
            for node in before.writers:
                following[row[node]].append((len(following) - 1, together))
    found = earliest(following)
    if isinstance(found, int):
        node = list(row)[found] if found < len(row) else -1
        where = f"; seen at rank {values.rank[node]}, chunk {values.chunk[node]}" if row else ""
        raise InvalidInput(
            "the plan keeps values longer than a schedule can, which has one of each chunk on "
            f"each rank{where}",
            place="plan",
        )
    return {node: found[number] for node, number in row.items()}


def _coarse(schedule: Schedule, units: int) -> Schedule:
    """The schedule in chunks, where the `units` parts of each are sent alike."""
    if units == 1:
        return schedule
    schedule = schedule.normalised()
    columns = (schedule.step, schedule.source, schedule.destination, schedule.chunk // units)
    rows = np.stack((*columns, schedule.reduce.astype(np.int64)), axis=1)
    parts = [rows[schedule.chunk % units == part] for part in range(units)]
    parts = [part[np.lexsort(part.T[::-1])] for part in parts]
    if any(not np.array_equal(part, parts[0]) for part in parts[1:]):
        return schedule
    whole = schedule.collective
    return from_sends(
        Collective(whole.kind, whole.ranks, whole.pieces // units),
        ((a, b, c, d, bool(e)) for a, b, c, d, e in parts[0].tolist()),
    )

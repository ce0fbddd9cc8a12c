"""Every right schedule becomes a plan that is proved, that the interpreter finds right, and that
lifts back to the same sends."""

import json
from collections import Counter

from collective_strategies import right_schedules, topologies
from hypothesis import given, settings
from hypothesis import strategies as st
from mscclpp_interpreter import interpret

from certune.tasks.collective.collective import Collective
from certune.tasks.collective.mscclpp.lift import lift
from certune.tasks.collective.mscclpp.lower import write_verified
from certune.tasks.collective.mscclpp.plan import MAX_CHANNELS, MAX_OPERATIONS


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_right_schedules_are_proved(data: st.DataObject) -> None:
    topology = data.draw(topologies(most=4, shared=False))
    kind = data.draw(st.sampled_from(("allgather", "allreduce", "reduce-scatter", "alltoall")))
    pieces = topology.ranks * data.draw(st.integers(1, 2))
    collective = Collective(kind, topology.ranks, pieces)
    schedule = data.draw(right_schedules(topology, collective))
    inplace = data.draw(st.booleans())
    threadblocks = data.draw(st.sampled_from((1, 1, 2)))
    written, report = write_verified(
        schedule,
        inplace=inplace,
        threadblocks=threadblocks,
        protocol=data.draw(st.sampled_from(("Simple", "LL"))),
    )
    assert report.verdict.met, report.verdict.failure
    units = report.scope.cases[0].units
    assert interpret(written, units=units, seeds=(data.draw(st.integers(0, 9)),)) == set()
    again = lift(report.plan)
    assert again.collective == collective
    columns = ("source", "destination", "chunk", "reduce")
    before, after = (
        Counter(zip(*(getattr(x, name).tolist() for name in columns), strict=True))
        for x in (schedule, again)
    )
    assert before == after
    for gpu in report.plan.gpus:
        for block in gpu.threadblocks:
            assert block.expanded <= MAX_OPERATIONS
            assert all(len(table) <= MAX_CHANNELS for table in block.channels.values())
    assert json.loads(written)["inplace"] == inplace

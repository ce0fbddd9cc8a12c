"""Writing plans, lowering schedules, explaining."""

import json
from pathlib import Path

import pytest
from mscclpp_interpreter import interpret

from certune.core import InvalidInput, Status
from certune.tasks.collective import baselines, library
from certune.tasks.collective.collective import Collective, Kind
from certune.tasks.collective.mscclpp.explain import explain
from certune.tasks.collective.mscclpp.lower import lower, write_verified
from certune.tasks.collective.mscclpp.plan import MAX_CHANNELS, MAX_OPERATIONS
from certune.tasks.collective.mscclpp.read import read_plan
from certune.tasks.collective.mscclpp.verify import check_plan, verify_plan
from certune.tasks.collective.mscclpp.write import dump_plan
from certune.tasks.collective.schedule import Schedule, from_sends

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"
KINDS: tuple[Kind, ...] = ("allgather", "allreduce", "reduce-scatter", "alltoall")


def schedule(kind: Kind, name: str, topology: str = "full", **parameters: str) -> Schedule:
    return baselines.baseline(name, kind, library.build(topology, parameters))


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda p: p.stem)
def test_what_is_written_is_what_was_read(path: Path) -> None:
    plan = read_plan(path.read_bytes())
    data = dump_plan(plan)
    again = read_plan(data)
    assert dump_plan(again) == data
    assert json.loads(data)["gpus"][0]["id"] == 0
    before = [(o.name, o.status) for o in verify_plan(path.read_bytes()).obligations]
    after = [(o.name, o.status) for o in verify_plan(data).obligations]
    if path.stem == "allreduce_pipeline":
        # Written anew, the switch channel is understood; output_chunks is still 0.
        assert dict(after)["loads"] is Status.REFUTED
    assert before == after


@pytest.mark.parametrize("threadblocks", [1, 2, 3])
@pytest.mark.parametrize("inplace", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_lowered_baselines_are_proved(kind: Kind, inplace: bool, threadblocks: int) -> None:
    given = schedule(kind, "direct", ranks="4")
    data, report = write_verified(given, inplace=inplace, threadblocks=threadblocks)
    assert {o.status for o in report.obligations} == {Status.PROVED}
    assert report.verdict.met
    assert report.warnings == ()
    assert interpret(data, units=report.scope.cases[0].units, seeds=(0,)) == set()
    plan = report.plan
    assert plan.inplace == inplace
    assert plan.max_message == report.scope.largest
    # Smaller messages than a group can share are not admitted.
    assert plan.min_message == (report.scope.smallest if threadblocks > 1 else 0)
    assert all(len(gpu.threadblocks) == threadblocks for gpu in plan.gpus)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("allgather", "ring"),
        ("allreduce", "ring"),
        ("allreduce", "tree"),
        ("reduce-scatter", "recursive"),
        ("alltoall", "routed"),
    ],
)
def test_on_dgx1(kind: Kind, name: str) -> None:
    _, report = write_verified(schedule(kind, name, "dgx1"))
    assert report.verdict.met
    for gpu in report.plan.gpus:
        for block in gpu.threadblocks:
            assert block.expanded <= MAX_OPERATIONS
            assert all(len(table) <= MAX_CHANNELS for table in block.channels.values())


def test_long_programs_are_handed_on_between_thread_blocks() -> None:
    data, report = write_verified(schedule("allreduce", "ring", "ring", ranks="16"))
    assert report.verdict.met
    assert {len(gpu.threadblocks) for gpu in report.plan.gpus} == {4}
    names = [op["name"] for tb in json.loads(data)["gpus"][0]["threadblocks"] for op in tb["ops"]]
    assert names.count("sem_acquire") == names.count("sem_release") == 3


def test_neighbouring_chunks_travel_together() -> None:
    plan = lower(schedule("allgather", "recursive", "hypercube", dimensions="3"))
    puts = [op for op in plan.gpus[0].threadblocks[0].operations if op.name == "put"]
    assert [op.sources[0].size for op in puts] == [1, 2, 4]


def test_other_collectives_are_refused() -> None:
    given = schedule("broadcast", "tree", ranks="4")
    with pytest.raises(InvalidInput, match="MSCCL\\+\\+ plans have no broadcast"):
        lower(given)


def test_too_many_thread_blocks_are_refused() -> None:
    with pytest.raises(InvalidInput, match="give 1 to 32"):
        lower(schedule("allgather", "direct", ranks="4"), threadblocks=33)


def test_wrong_schedules_are_refused_or_refuted() -> None:
    two = Collective("allgather", 2, 2)
    with pytest.raises(InvalidInput, match="rank 0 sends chunk 1, which it does not hold"):
        lower(from_sends(two, [(0, 0, 1, 1, False)]))
    half = from_sends(two, [(0, 0, 1, 0, False)])
    report = check_plan(lower(half))
    assert report.verdict.status is Status.REFUTED
    assert report.verdict.failure is not None
    assert report.verdict.failure.name == "postcondition"
    twice = Collective("allreduce", 2, 1)
    sends = [(0, 0, 1, 0, True), (1, 1, 0, 0, True)]
    report = check_plan(lower(from_sends(twice, sends)))
    failure = report.verdict.failure
    assert failure is not None
    assert failure.counterexample is not None
    assert "twice" in failure.counterexample.sentence


def test_a_signal_to_nobody_comes_back() -> None:
    plan = json.loads((PLANS / "reduce_nvls.json").read_bytes())
    plan["gpus"][0]["threadblocks"][0]["ops"][1]["channel_ids"] = []
    given = read_plan(json.dumps(plan).encode())
    assert read_plan(dump_plan(given)) == given


def test_explain_says_who_does_what() -> None:
    lines = list(explain(read_plan((PLANS / "mn_reducescatter.json").read_bytes())))
    assert "reducescatter of 16 ranks" in lines[0]
    assert "    5 reads and adds up i[0] + rank 1's i[0] + rank 2's i[0]" in "\n".join(lines)
    assert any("puts and signals i[8] → rank 8's s[0]" in line for line in lines)
    assert len(lines) == 1 + 16 + 336

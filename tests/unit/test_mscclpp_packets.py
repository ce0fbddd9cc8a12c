"""Schedules written as plans of protocol LL: packets, no signals, scratch in two halves."""

import json
from collections import Counter
from pathlib import Path

import pytest
from mscclpp_interpreter import interpret
from typer.testing import CliRunner

from certune.cli import app
from certune.core import InvalidInput, Status
from certune.tasks.collective import baselines, library
from certune.tasks.collective.collective import Collective, Kind
from certune.tasks.collective.mscclpp.lift import lift
from certune.tasks.collective.mscclpp.lower import lower, write_verified
from certune.tasks.collective.mscclpp.plan import MAX_CHANNELS, MAX_OPERATIONS, Plan
from certune.tasks.collective.mscclpp.verify import check_plan, verify_plan
from certune.tasks.collective.schedule import Schedule, dump_schedule, from_sends

PACKETS = {"ppkt", "rppkt", "upkt", "repkt", "respkt"}


def schedule(kind: Kind, name: str, topology: str = "full", **parameters: str) -> Schedule:
    return baselines.baseline(name, kind, library.build(topology, parameters))


def rows(given: Schedule) -> Counter[tuple[int, int, int, bool]]:
    columns = (given.source, given.destination, given.chunk, given.reduce)
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def names(plan: Plan, rank: int = 0) -> list[str]:
    return [op.name for block in plan.gpus[rank].threadblocks for op in block.operations]


@pytest.mark.parametrize("threadblocks", [1, 3])
@pytest.mark.parametrize("inplace", [True, False])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("allgather", "direct"),
        ("allgather", "recursive"),
        ("allreduce", "direct"),
        ("allreduce", "ring"),
        ("allreduce", "tree"),
        ("reduce-scatter", "ring"),
        ("reduce-scatter", "tree"),
        ("alltoall", "direct"),
    ],
)
def test_baselines_are_proved(kind: Kind, name: str, inplace: bool, threadblocks: int) -> None:
    given = schedule(kind, name, ranks="4")
    data, report = write_verified(given, inplace=inplace, threadblocks=threadblocks, protocol="LL")
    assert {o.status for o in report.obligations} == {Status.PROVED}
    assert interpret(data, units=report.scope.cases[0].units, seeds=(0, 1)) == set()
    plan = report.plan
    assert (plan.protocol, plan.double_scratch, plan.inplace) == ("LL", True, inplace)
    assert plan.max_message == report.scope.largest
    assert all(set(names(plan, rank)) <= PACKETS | {"nop", "copy"} for rank in range(4))
    assert rows(lift(plan)) == rows(given)


def test_sums_go_on_as_packets_in_the_same_operation() -> None:
    plan = lower(schedule("allreduce", "direct", ranks="4"), protocol="LL")
    assert names(plan) == ["ppkt", "nop", "respkt", "nop", "upkt"]
    block = plan.gpus[1].threadblocks[0]
    sums = block.operations[2]
    # Its own contribution and three packets; to its own place and to three peers.
    assert [x.reference for x in sums.sources] == ["local"] * 4
    assert [x.reference for x in sums.destinations] == ["local"] + ["remote"] * 3
    assert plan.gpus[1].memory == (0, 2, 3)
    assert sorted(block.channels["memory"]) == [0, 1, 2]


def test_what_has_no_place_yet_is_passed_on_as_it_is() -> None:
    given = schedule("reduce-scatter", "tree", "dgx1")
    plan = lower(given, inplace=False, protocol="LL")
    assert check_plan(plan).verdict.met
    routed = lower(schedule("alltoall", "routed", "ring", ranks="6"), protocol="LL")
    assert "rppkt" in names(routed)


def test_a_packet_tells_who_had_begun_through_all_hands() -> None:
    """Rank 3 hears of rank 0 through ranks 1 and 2, which pass its packet on within one operation;
    only so does it know that rank 0 is done with what it got a launch before."""
    given = schedule("alltoall", "ring", ranks="4")
    data, report = write_verified(given, inplace=True, protocol="LL")
    assert "rppkt" in names(report.plan)
    assert report.verdict.met, report.verdict.failure
    assert interpret(data, units=1, seeds=(0, 1)) == set()


def test_long_programs_are_handed_on_between_thread_blocks() -> None:
    data, report = write_verified(schedule("allreduce", "ring", "ring", ranks="16"), protocol="LL")
    assert report.verdict.met
    plan = report.plan
    assert {len(gpu.threadblocks) for gpu in plan.gpus} == {2}
    assert names(plan).count("sem_acquire") == names(plan).count("sem_release") == 1
    for gpu in plan.gpus:
        for block in gpu.threadblocks:
            assert block.expanded <= MAX_OPERATIONS
            assert all(len(table) <= MAX_CHANNELS for table in block.channels.values())
    assert verify_plan(data).verdict.met


def test_more_peers_than_a_thread_block_has_channels() -> None:
    given = schedule("allreduce", "direct", ranks="20")
    # More packets than one operation adds: the second takes up where the first ended.
    assert check_plan(lower(given, inplace=False, protocol="LL")).verdict.met
    plan = lower(given, protocol="LL")
    assert check_plan(plan).verdict.met
    for gpu in plan.gpus:
        assert len(gpu.threadblocks) > 1
        for block in gpu.threadblocks:
            assert len(block.channels.get("memory", ())) <= MAX_CHANNELS
            assert len(block.remote.get("memory", ())) <= MAX_CHANNELS


def test_ports_and_other_collectives_are_refused() -> None:
    given = schedule("allgather", "direct", ranks="4")
    with pytest.raises(InvalidInput, match="packets go over memory channels only"):
        lower(given, channel="port", protocol="LL")
    with pytest.raises(InvalidInput, match="MSCCL\\+\\+ plans have no broadcast"):
        lower(schedule("broadcast", "tree", ranks="4"), protocol="LL")


def test_one_half_of_scratch_would_not_do() -> None:
    plan = lower(schedule("allgather", "direct", ranks="4"), protocol="LL")
    single = type(plan)(**{**vars(plan), "double_scratch": False})
    failure = check_plan(single).verdict.failure
    assert failure is not None
    assert failure.name == "scratch-reuse"


def test_wrong_schedules_are_refused() -> None:
    two = Collective("allgather", 2, 2)
    with pytest.raises(InvalidInput, match="rank 0 sends chunk 1, which it does not hold"):
        lower(from_sends(two, [(0, 0, 1, 1, False)]), protocol="LL")
    with pytest.raises(InvalidInput, match="rank 1 adds to chunk 0, which it does not hold"):
        lower(from_sends(two, [(0, 0, 1, 0, True)]), protocol="LL")
    sends = [(0, 0, 1, 0, True), (1, 1, 0, 0, True)]
    with pytest.raises(InvalidInput, match=r"by packets postcondition is refuted: .* twice"):
        lower(from_sends(Collective("allreduce", 2, 1), sends), protocol="LL")


def test_on_the_command_line(tmp_path: Path) -> None:
    given, out = tmp_path / "schedule.json", tmp_path / "plan.json"
    given.write_bytes(dump_schedule(schedule("allreduce", "direct", ranks="4")))
    call = ["convert", str(given), "--to", "mscclpp", "--in-place", "-o", str(out)]
    done = CliRunner().invoke(app, [*call, "--protocol", "LL"])
    assert done.exit_code == 0, done.output
    plan = json.loads(out.read_bytes())
    assert plan["protocol"] == "LL"
    assert plan["use_double_scratch_buffer"] is True
    assert verify_plan(out.read_bytes()).verdict.met
    done = CliRunner().invoke(app, [*call, "--protocol", "LL128"])
    assert done.exit_code == 2
    assert "unknown protocol 'LL128'" in done.output
    done = CliRunner().invoke(app, ["convert", str(given), "--to", "rccl", "--protocol", "LL"])
    assert done.exit_code == 2
    assert "of MSCCL++ plans" in done.output

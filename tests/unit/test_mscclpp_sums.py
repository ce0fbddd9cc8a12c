"""Whether the ranks of a plan add in the same order."""

import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from certune.cli import app
from certune.core import Status
from certune.tasks.collective import baselines, library
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.mscclpp.agreement import agreement
from certune.tasks.collective.mscclpp.lower import Protocol, lower
from certune.tasks.collective.mscclpp.multicast import multicast
from certune.tasks.collective.mscclpp.plan import Plan
from certune.tasks.collective.mscclpp.semantics.execution import execute
from certune.tasks.collective.mscclpp.semantics.program import build
from certune.tasks.collective.mscclpp.semantics.space import Space
from certune.tasks.collective.mscclpp.semantics.values import expected
from certune.tasks.collective.mscclpp.sizes import scope
from certune.tasks.collective.mscclpp.verify import PlanReport, check_plan, verify_plan
from certune.tasks.collective.mscclpp.write import dump_plan
from certune.tasks.collective.schedule import Schedule, from_sends

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"


def everybody_adds(ranks: int) -> Schedule:
    """Every rank sends its contribution to all, and each adds them up itself, its own first."""
    sends = [(0, a, b, 0, True) for a in range(ranks) for b in range(ranks) if a != b]
    return from_sends(Collective("allreduce", ranks, 1), sends)


def direct(ranks: str) -> Schedule:
    return baselines.baseline("direct", "allreduce", library.build("full", {"ranks": ranks}))


def status(report: PlanReport) -> Status | None:
    return {o.name: o.status for o in report.obligations}.get("agreement")


def bits(plan: Plan, seed: int) -> list[list[float]]:
    """The outputs of all ranks in ordinary floating point, added as the executor does."""
    case = scope(plan).cases[0]
    space = Space(plan, case.units, case.scratch_units)
    execution = execute(build(plan, space, case.iterations))
    rng = random.Random(seed)
    memory = [0.0] * space.count
    for rank, gpu in enumerate(plan.gpus):
        for unit in range(gpu.input_chunks * space.units):
            buffer, start = space.place(rank, "i", unit, rank)
            place = space.bases[rank][buffer] + start
            memory[place] = rng.uniform(-1, 1) * 10 ** rng.randint(-8, 8)
    for _, move in execution.applied:
        for unit in range(move.units):
            plain = [x.start + unit for x in move.sources if not x.packet]
            packets = [x.start + 2 * unit for x in move.sources if x.packet]
            total = None
            for place in packets + plain:
                total = memory[place] if total is None else total + memory[place]
            for region in move.destinations:
                at = region.start + (2 * unit if region.packet else unit)
                memory[at] = total
                if region.packet:
                    memory[at + 1] = total
    outputs: dict[int, list[float]] = {}
    for _, unit, location, _ in expected(space):
        outputs.setdefault(unit, []).append(memory[location])
    return list(outputs.values())


@pytest.mark.parametrize("protocol", ["Simple", "LL"])
def test_ranks_that_all_add_themselves_differ(protocol: Protocol) -> None:
    plan = lower(everybody_adds(3), protocol=protocol)
    report = check_plan(plan, require_agreement=True)
    assert status(report) is Status.REFUTED
    assert not report.verdict.met
    found = report.verdict.failure
    assert found is not None
    assert found.counterexample is not None
    first = "rank 0 adds chunk 0 as (2 + (0 + 1)), rank 2 as (1 + (0 + 2))"
    packets = "rank 0 adds chunk 0 as (0 + (1 + 2)), rank 1 as (1 + (0 + 2))"
    sentence = found.counterexample.sentence
    assert sentence.startswith(first if protocol == "Simple" else packets)
    assert sentence.endswith("their results differ in the last bits")
    told = check_plan(plan)
    assert told.verdict.met
    assert told.notes == (f"ranks disagree on 1 chunks: {sentence}",)


def test_two_ranks_agree_whatever_the_order() -> None:
    report = check_plan(lower(everybody_adds(2)), require_agreement=True)
    assert status(report) is Status.PROVED
    assert report.verdict.met
    assert check_plan(lower(everybody_adds(2))).notes == ()


def test_one_adds_for_all_but_each_in_another_order() -> None:
    report = check_plan(lower(direct("4")), require_agreement=True)
    assert status(report) is Status.PROVED
    (note,) = check_plan(lower(direct("4"))).notes
    assert note.startswith("all ranks agree, but chunks are added in different orders of ranks")


def test_nothing_is_said_where_nothing_is_added_or_the_result_is_wrong() -> None:
    given = baselines.baseline("direct", "allgather", library.build("full", {"ranks": "4"}))
    report = check_plan(lower(given), require_agreement=True)
    assert status(report) is None
    assert report.agreement is None
    twice = from_sends(Collective("allreduce", 2, 1), [(0, 0, 1, 0, True), (1, 1, 0, 0, True)])
    report = check_plan(lower(twice), require_agreement=True)
    assert status(report) is Status.UNKNOWN
    assert report.agreement is None


def test_a_switch_adds_for_all() -> None:
    report = check_plan(multicast("allreduce", 4), require_agreement=True)
    assert status(report) is Status.PROVED
    assert report.agreement is not None
    assert report.agreement.uniform


def test_sums_of_a_switch_in_two_operations_are_not_known_to_agree() -> None:
    """Rank 1's program is given to every rank with a store to itself alone: none is executed."""
    plan = multicast("allreduce", 2)
    case = scope(plan).cases[0]
    execution = execute(build(plan, Space(plan, case.units, case.scratch_units)))
    # Each switch sum stored at one rank only: as if every rank loaded for itself.
    execution.applied[:] = [
        (where, move._replace(sources=moved.sources, destinations=(move.destinations[number],)))
        for moved_where, moved in execution.applied
        for number, (where, move) in enumerate([(moved_where, moved)] * 2)
    ]
    found = agreement(execution)
    assert found is not None
    assert found.difference is not None
    assert found.difference.switched
    assert found.difference.expressions == ("a sum of the switch", "a sum of the switch")


@pytest.mark.parametrize("protocol", ["Simple", "LL"])
@pytest.mark.parametrize("name", ["direct", "ring", "tree", "recursive"])
def test_what_is_said_holds_of_numbers(name: str, protocol: Protocol) -> None:
    given = baselines.baseline(name, "allreduce", library.build("full", {"ranks": "4"}))
    for plan in (lower(given, protocol=protocol), lower(everybody_adds(4), protocol=protocol)):
        report = check_plan(plan)
        assert report.agreement is not None
        same = all(len(set(values)) == 1 for seed in range(20) for values in bits(plan, seed))
        assert same == (report.agreement.difference is None)


def test_long_expressions_are_cut() -> None:
    found = check_plan(lower(everybody_adds(70))).agreement
    assert found is not None
    assert found.difference is not None
    assert all(len(text) < 420 and text.endswith(" …") for text in found.difference.expressions)


def test_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(dump_plan(lower(everybody_adds(3))))
    done = CliRunner().invoke(app, ["verify", str(file)])
    assert done.exit_code == 0
    assert "note     ranks disagree on 1 chunks: rank 0 adds chunk 0" in done.output
    done = CliRunner().invoke(app, ["verify", str(file), "--require-agreement"])
    assert done.exit_code == 1
    assert "refuted  agreement: all ranks add in the same order" in done.output


def test_shipped_plans() -> None:
    said = {
        path.stem: status(verify_plan(path.read_bytes(), require_agreement=True))
        for path in PLANS.glob("*.json")
    }
    assert said["allreduce_packet"] is Status.PROVED
    assert said["reduce_nvls"] is Status.PROVED
    assert said["reduce_tbg"] is Status.UNKNOWN
    assert said["alltoall"] is None

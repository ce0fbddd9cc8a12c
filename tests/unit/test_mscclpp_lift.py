"""Plans lifted to native schedules, or refused with the reason."""

from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from certune.cli import app
from certune.core import InvalidInput
from certune.tasks.collective import baselines, library
from certune.tasks.collective.collective import Collective, Kind
from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.msccl.report import verify_file
from certune.tasks.collective.mscclpp.drafts import Message, Put, Step, segments
from certune.tasks.collective.mscclpp.earliest import earliest
from certune.tasks.collective.mscclpp.lift import lift
from certune.tasks.collective.mscclpp.lower import lower
from certune.tasks.collective.mscclpp.pack import pack
from certune.tasks.collective.mscclpp.plan import Plan
from certune.tasks.collective.mscclpp.read import read_plan
from certune.tasks.collective.mscclpp.verify import check_plan, verify_plan
from certune.tasks.collective.schedule import Schedule, dump_schedule, from_sends, parse_schedule

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"

LIFTED = {
    "allgather_pkt": (Collective("allgather", 8, 8), 1, 56),
    "allreduce_packet": (Collective("allreduce", 2, 4), 2, 8),
    "alltoall": (Collective("alltoall", 8, 16), 1, 112),
    "transfer_pack": (Collective("allgather", 2, 2), 1, 2),
}
REFUSED = {
    "allreduce_pipeline": "repeats for every 524288 bytes, and a schedule has the same pieces",
    "mn_reducescatter": "not proved, and so it is not converted: exit-safe is refuted",
    "mn_send_recv": "what 'sendrecv' must compute is not known",
    "reduce_nvls": r"operation 5 \(glres\) acts on all ranks of a switch at once",
    "reduce_tbg": "not proved, and so it is not converted: message-sizes is refuted",
}


def rows(schedule: Schedule) -> Counter[tuple[int, int, int, bool]]:
    columns = (schedule.source, schedule.destination, schedule.chunk, schedule.reduce)
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def exchange(programs: list[list[Step]], slots: int, kind: str = "allreduce") -> Plan:
    """A proved plan of one chunk; signals and waits follow from the puts of each step."""
    ranks = range(len(programs))
    everyone = [[peer for peer in ranks if peer != rank] for rank in ranks]
    for rank, steps in enumerate(programs):
        steps.insert(
            0,
            Step(
                signals=[Message(peer, relaxed=True) for peer in everyone[rank]],
                waits=[Message(peer, relaxed=True) for peer in everyone[rank]],
            ),
        )
    listed = [list(segments(steps, True)) for steps in programs]
    gpus = pack(listed, (1, 1), [slots] * len(programs), 1)
    plan = Plan("by hand", kind, "Simple", True, gpus, max_message=2**20)
    assert check_plan(plan).verdict.met, check_plan(plan).verdict.failure
    return plan


IN, S0, S1 = ("i", 0), ("s", 0), ("s", 1)


def put(peer: int, source: tuple, target: tuple) -> Step:
    return Step(puts=[Put(peer, source, target)], signals=[Message(peer)])


def come(peer: int, **work: list) -> Step:
    return Step(waits=[Message(peer)], **work)


def test_every_shipped_plan_is_named_here() -> None:
    assert {path.stem for path in PLANS.glob("*.json")} == LIFTED.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", sorted(LIFTED))
def test_shipped_plans_have_schedules(name: str) -> None:
    schedule = lift(read_plan((PLANS / f"{name}.json").read_bytes()))
    assert (schedule.collective, schedule.steps, schedule.sends) == LIFTED[name]
    assert verify(schedule) is None


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_shipped_plans_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(InvalidInput, match=REFUSED[name]):
        lift(read_plan((PLANS / f"{name}.json").read_bytes()))


@pytest.mark.parametrize(
    ("topology", "kind", "name"),
    [
        ("full", "allgather", "direct"),
        ("full", "allreduce", "direct"),
        ("full", "reduce-scatter", "direct"),
        ("full", "alltoall", "direct"),
        ("dgx1", "allreduce", "ring"),
        ("dgx1", "allreduce", "tree"),
        ("dgx1", "alltoall", "routed"),
        ("hypercube", "reduce-scatter", "recursive"),
        ("hypercube", "allgather", "recursive"),
    ],
)
def test_what_was_written_has_the_same_sends(topology: str, kind: Kind, name: str) -> None:
    given = baselines.baseline(name, kind, library.build(topology, {}))
    for inplace in (True, False):
        for threadblocks in (1, 3):
            again = lift(lower(given, inplace=inplace, threadblocks=threadblocks))
            assert again.collective == given.collective
            assert rows(again) == rows(given)
            assert again.steps <= given.steps


def test_port_channels_too() -> None:
    given = baselines.baseline("direct", "allgather", library.build("full", {"ranks": "4"}))
    assert rows(lift(lower(given, channel="port"))) == rows(given)


def test_parts_of_a_chunk_that_go_different_ways_become_pieces() -> None:
    given = baselines.baseline("direct", "allgather", library.build("full", {"ranks": "2"}))
    plan = lower(given, threadblocks=2)
    first, second = plan.gpus[0].threadblocks
    again = tuple(op for op in second.operations for _ in range(1 + (op.name == "put")))
    other = type(second)(again, second.channels, second.remote)
    gpus = (type(plan.gpus[0])(**{**vars(plan.gpus[0]), "threadblocks": (first, other)}),)
    schedule = lift(type(plan)(**{**vars(plan), "gpus": (*gpus, *plan.gpus[1:])}))
    assert schedule.collective.pieces == 2 * given.collective.pieces
    assert schedule.sends == 2 * given.sends + 1


def test_two_values_of_a_chunk_at_a_time_are_refused() -> None:
    # Rank 0 passes rank 1's contribution on to rank 2, its own as well, and adds all up itself.
    everything = [((IN, S0, S1), IN)]
    plan = exchange(
        [
            [
                come(1), come(2), put(2, S0, S0), put(2, IN, S1),
                Step(sums=list(everything)), put(1, IN, IN),
            ],
            [put(0, IN, S0), come(0)],
            [put(0, IN, S1), come(0), come(0, sums=list(everything))],
        ],
        2,
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="rank 0 keeps two values of chunk 0 at a time"):
        lift(plan)


def test_two_sums_from_one_contribution_are_refused() -> None:
    # Rank 0 adds its own to what ranks 1 and 2 sent, apart, and sends each sum to the other; what
    # it adds up for itself rank 2 sends once more.
    plan = exchange(
        [
            [
                come(1, sums=[((IN, S0), ("s", 2))]), come(2, sums=[((IN, S1), ("s", 3))]),
                put(2, ("s", 2), S0), put(1, ("s", 3), S0),
                come(2, sums=[((("s", 2), ("s", 4)), IN)]),
            ],
            [put(0, IN, S0), come(0, sums=[((IN, S0), IN)])],
            [put(0, IN, S1), put(0, IN, ("s", 4)), come(0, sums=[((IN, S0), IN)])],
        ],
        5,
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="rank 0 keeps two values of chunk 0 at a time"):
        lift(plan)


def test_a_sum_that_is_sent_and_added_to() -> None:
    pairs = [(0, 0, 1), (0, 1, 0), (0, 2, 3), (0, 3, 2), (1, 0, 2), (1, 2, 0), (1, 1, 3), (1, 3, 1)]
    doubling = from_sends(
        Collective("allreduce", 4, 1), [(step, a, b, 0, True) for step, a, b in pairs]
    )
    for protocol in ("Simple", "LL"):
        again = lift(lower(doubling, protocol=protocol))
        assert dump_schedule(again) == dump_schedule(doubling)


def test_a_relay_that_keeps_its_own_contribution_is_refused() -> None:
    # Rank 1 passes rank 0's contribution on and adds its own only to what comes back.
    plan = exchange(
        [
            [put(1, IN, S0), come(1)],
            [
                come(0), put(2, S0, S0), come(2, sums=[((IN, S1), IN)]),
                put(0, IN, IN), put(2, IN, IN),
            ],
            [come(1, sums=[((IN, S0), IN)]), put(1, IN, S1), come(1)],
        ],
        2,
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="keeps values longer than a schedule can"):
        lift(plan)


def test_transfers_that_nothing_depends_on_are_left_out_where_they_would_spoil() -> None:
    useful = Counter({(0, 1, 0, True): 1, (1, 0, 0, False): 1})
    two = [
        [put(1, IN, S0), come(1), come(1)],
        [come(0, sums=[((IN, S0), IN)]), put(0, IN, IN), put(0, S0, S1)],
    ]
    assert rows(lift(exchange(two, 2))) == useful


def test_earliest_steps() -> None:
    assert earliest([[(1, 1)], [(2, 0)], [(1, 0)]]) == [0, 1, 1]
    assert earliest([[(1, 1), (2, 0)], [(2, 1)], []]) == [0, 1, 2]
    assert earliest([[(1, 0)], [(0, 1)]]) in (0, 1)
    assert earliest([]) == []


@pytest.mark.parametrize("to", ["native", "rccl", "mscclpp"])
@pytest.mark.parametrize("name", sorted(LIFTED))
def test_converted_on_the_command_line(tmp_path: Path, name: str, to: str) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["convert", str(PLANS / f"{name}.json"), "--to", to, "-o", str(out)]
    )
    assert done.exit_code == 0, done.output
    data = out.read_bytes()
    if to == "native":
        assert dump_schedule(parse_schedule(data)) == data
        assert verify(parse_schedule(data)) is None
    elif to == "rccl":
        assert verify_file(data, target="rccl").clean
        assert (b'inplace="1"' in data) == (name != "alltoall")
    else:
        report = verify_plan(data)
        assert report.verdict.met
        assert report.plan.inplace == (name != "alltoall")


def test_refused_on_the_command_line() -> None:
    done = CliRunner().invoke(app, ["convert", str(PLANS / "reduce_nvls.json"), "--to", "native"])
    assert done.exit_code == 2
    assert "acts on all ranks of a switch at once" in done.output

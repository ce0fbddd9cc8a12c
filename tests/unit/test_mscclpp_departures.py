"""Where the executor does not do what a plan says: followed if it can be told, refused anyway."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mscclpp_interpreter import interpret

from certune.core import Status
from certune.tasks.collective.mscclpp.verify import PlanReport, verify_plan

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"
Json = Any


def load(name: str) -> Json:
    return json.loads((PLANS / f"{name}.json").read_bytes())


def judge(plan: Json) -> PlanReport:
    return verify_plan(json.dumps(plan).encode())


def status(report: PlanReport) -> dict[str, Status]:
    return {o.name: o.status for o in report.obligations}


def sentence(report: PlanReport, name: str) -> str:
    (found,) = [o for o in report.obligations if o.name == name]
    return found.counterexample.sentence if found.counterexample else ""


def refuted(report: PlanReport) -> set[str]:
    return {name for name, found in status(report).items() if found is Status.REFUTED}


def of(plan: Json, name: str) -> list[Json]:
    return [o for g in plan["gpus"] for tb in g["threadblocks"] for o in tb["ops"]
            if o["name"] == name]  # fmt: skip


def test_packets_are_read_from_scratch_whatever_is_named() -> None:
    plan = load("transfer_pack")
    of(plan, "upkt")[0]["src_buff"][0]["type"] = "i"
    report = judge(plan)
    assert refuted(report) == {"as-written"}  # what is done is right, but not what is written
    assert "reads packets from scratch" in sentence(report, "as-written")
    assert interpret(json.dumps(plan)) == set()


def test_packets_may_be_written_over_the_output() -> None:
    plan = load("transfer_pack")
    of(plan, "cpkt")[0]["dst_buff"][0].update(type="o", index=0)
    report = judge(plan)
    assert status(report)["as-written"] is Status.PROVED
    assert refuted(report) == {"no-deadlock"}  # and who waits for them in scratch waits for ever
    assert "no-deadlock" in interpret(json.dumps(plan))


def two_sources(plan: Json) -> None:
    op = of(plan, "ppkt")[0]
    op["src_buff"].append(copy.deepcopy(op["src_buff"][0]))


def one_source(plan: Json) -> None:
    op = of(plan, "ppkt")[0]
    op["dst_buff"].append(copy.deepcopy(op["dst_buff"][0]))


def remote_source(plan: Json) -> None:
    op = of(plan, "ppkt")[0]
    op["src_buff"][0] = copy.deepcopy(op["dst_buff"][0])


def local_target(plan: Json) -> None:
    op = of(plan, "ppkt")[0]
    op["dst_buff"][0] = copy.deepcopy(op["src_buff"][0])


def to_the_output(plan: Json) -> None:
    plan["gpus"][1]["remote_buffers"][0]["type"] = "o"


@pytest.mark.parametrize(
    ("change", "words", "followed"),
    [
        (two_sources, "looks at 1 sources only", True),
        (one_source, "1 operands on one side; the executor looks at 2", False),
        (remote_source, "must be local", False),
        (local_target, "must be remote", False),
        (to_the_output, "by half of scratch at every second launch", False),
    ],
)
def test_operands_of_the_wrong_number_or_kind(
    change: Callable[[Json], None], words: str, followed: bool
) -> None:
    plan = load("transfer_pack")
    change(plan)
    report = judge(plan)
    assert refuted(report) == {"as-written"}
    assert words in sentence(report, "as-written")
    rest = {s for n, s in status(report).items() if n not in ("loads", "message-sizes")}
    assert rest == ({Status.PROVED, Status.REFUTED} if followed else
                    {Status.UNKNOWN, Status.REFUTED})  # fmt: skip


def test_put_takes_the_buffer_of_its_first_source() -> None:
    alltoall = load("alltoall")
    op = of(alltoall, "put")[0]
    other = copy.deepcopy(op["src_buff"][0])
    op["src_buff"].append({**other, "type": "s"})
    op["dst_buff"].append(copy.deepcopy(op["dst_buff"][0]))
    report = judge(alltoall)
    assert "buffer of its first source" in sentence(report, "as-written")
    # The other one, scratch that nobody has written yet, is not read.
    assert refuted(report) == {"as-written"}
    assert interpret(json.dumps(alltoall)) == set()


@pytest.mark.parametrize("chunks", [3, 4])
def test_packets_to_a_part_of_a_buffer_lie_twice_as_far(chunks: int) -> None:
    """Rank 1's input is chunk 1 of the output, its packets there begin at twice that."""
    plan = load("transfer_pack") | {"use_double_scratch_buffer": False}
    for gpu in plan["gpus"]:
        gpu["output_chunks"] = chunks
    plan["gpus"][1]["remote_buffers"][0]["type"] = "i"
    of(plan, "rppkt")[0]["dst_buff"][0]["index"] = 0
    outside = chunks == 3
    assert ("bounds" in refuted(judge(plan))) == outside
    assert ("bounds" in interpret(json.dumps(plan))) == outside


def test_put_with_signal_over_memory_signals_nothing() -> None:
    plan = load("alltoall")
    for op in of(plan, "put"):
        op["name"] = "pws"
    report = judge(plan)
    assert refuted(report) == {"as-written"}
    assert "neither signals nor flushes" in sentence(report, "as-written")


def pipeline(iterations: int) -> Json:
    """Two ranks that each add a chunk in scratch to its own, unit by unit."""
    size = {"index": 0, "size": 1}
    add = {
        "name": "re",
        "src_buff": [{"type": "i", **size}, {"type": "s", **size}],
        "dst_buff": [{"type": "i", **size}],
    }
    copied = {"name": "copy", "src_buff": [{"type": "i", **size}],
              "dst_buff": [{"type": "s", **size}]}  # fmt: skip
    ops = [{"name": "pipeline", "iter_context": {"unit_size": 2**26 // iterations, "num_chunks": 1},
            "ops": [copied, add]}]  # fmt: skip
    block = {"id": 0, "ops": ops, "channels": [], "remote_buffer_refs": []}
    gpu = {"input_chunks": 1, "output_chunks": 1, "scratch_chunks": 1, "channels": [],
           "remote_buffers": [], "semaphores": []}  # fmt: skip
    return {
        "name": "test",
        "collective": "test",
        "protocol": "Simple",
        "inplace": True,
        "reuse_resources": True,
        "num_threads_per_block": 1024,
        "use_double_scratch_buffer": False,
        "buffer_alignment": 16,
        "min_message_size": 0,
        "max_message_size": 2**26,
        "gpus": [{"id": rank, **gpu, "threadblocks": [block]} for rank in (0, 1)],
    }


def test_a_reduction_does_not_start_again_in_short_scratch() -> None:
    """handleReduceSend takes the offset of a further source by the type of another operand."""
    plan = pipeline(2)
    report = judge(plan)
    # With three iterations over two slots the third reads behind scratch.
    assert refuted(report) >= {"bounds", "as-written"}
    assert "decides by another operand" in sentence(report, "as-written")
    assert "bounds" in interpret(json.dumps(plan), iterations=3)
    # As the first source it starts again, as it should.
    op = plan["gpus"][0]["threadblocks"][0]["ops"][0]["ops"][1]
    op["src_buff"].reverse()
    assert not refuted(judge(plan)) & {"bounds", "as-written"}
    assert "bounds" not in interpret(json.dumps(plan), iterations=3)


def test_remote_accesses_keep_to_the_first_half_of_scratch() -> None:
    """At the second launch nobody finds there what was sent, and it is used again at once."""
    plan = pipeline(1) | {"reuse_resources": False}
    for rank, gpu in enumerate(plan["gpus"]):
        gpu["channels"] = [{"channel_type": "memory", "connected_to": [1 - rank]}]
        gpu["remote_buffers"] = [
            {"rank": 1 - rank, "type": "s", "access_channel_types": ["memory"]}
        ]
        (block,) = gpu["threadblocks"] = copy.deepcopy(gpu["threadblocks"])
        block["channels"] = [{"channel_type": "memory", "channel_ids": [0]}]
        block["remote_buffer_refs"] = [{"access_channel_type": "memory", "remote_buffer_ids": [0]}]
        put = {
            "name": "put",
            "channel_type": "memory",
            "channel_ids": [0],
            "src_buff": [{"type": "i", "index": 0, "size": 1}],
            "dst_buff": [{"buffer_id": 0, "index": 0, "size": 1}],
        }
        handshake = [{"name": name, "channel_type": "memory", "channel_ids": [0]}
                     for name in ("signal", "wait")]  # fmt: skip
        block["ops"] = [*handshake, {"name": "nop"}, put, {"name": "nop"}, *handshake]
    assert "as-written" not in refuted(judge(plan))
    assert status(judge(plan))["scratch-reuse"] is Status.PROVED
    plan["use_double_scratch_buffer"] = True
    report = judge(plan)
    assert "first half" in sentence(report, "as-written")
    assert status(report)["scratch-reuse"] is Status.UNKNOWN
    assert status(report)["initialised"] is Status.UNKNOWN


def test_get_starts_again_on_the_wrong_side() -> None:
    plan = pipeline(2)
    for rank, gpu in enumerate(plan["gpus"]):
        gpu["channels"] = [{"channel_type": "memory", "connected_to": [1 - rank]}]
        gpu["remote_buffers"] = [
            {"rank": 1 - rank, "type": "s", "access_channel_types": ["memory"]}
        ]
        (block,) = gpu["threadblocks"] = copy.deepcopy(gpu["threadblocks"])
        block["channels"] = [{"channel_type": "memory", "channel_ids": [0]}]
        block["remote_buffer_refs"] = [{"access_channel_type": "memory", "remote_buffer_ids": [0]}]
        block["ops"][0]["ops"][0] = {
            "name": "get",
            "channel_type": "memory",
            "channel_ids": [0],
            "src_buff": [{"buffer_id": 0, "index": 0, "size": 1}],
            "dst_buff": [{"type": "i", "index": 0, "size": 1}],
        }
    report = judge(plan)
    assert "which one starts again" in sentence(report, "as-written")
    # With as much scratch as the message has units, nothing starts again.
    plan["gpus"][0]["threadblocks"][0]["ops"][0]["ops"].pop()
    plan["gpus"][1]["threadblocks"][0]["ops"][0]["ops"].pop()
    plan["reuse_resources"] = False
    assert "as-written" not in refuted(judge(plan))


def test_a_packet_written_by_two() -> None:
    plan = load("allreduce_packet")
    blocks = plan["gpus"][1]["threadblocks"]
    blocks[1]["ops"].insert(0, copy.deepcopy(blocks[0]["ops"][0]))
    report = judge(plan)
    assert status(report)["no-race"] is Status.REFUTED
    assert status(report)["no-deadlock"] is Status.UNKNOWN
    assert "no-race" in interpret(json.dumps(plan))


def test_a_packet_written_again_when_its_reader_has_answered() -> None:
    """No race, as the answer is made of what was read; still nobody says which one is read."""
    plan = load("allreduce_packet")
    ops = plan["gpus"][1]["threadblocks"][0]["ops"]
    ops.append(copy.deepcopy(ops[0]))
    report = judge(plan)
    assert not refuted(report)
    assert status(report)["no-deadlock"] is Status.UNKNOWN
    assert "a second time" in sentence(report, "no-race")
    assert interpret(json.dumps(plan)) == set()


def test_a_packet_destroyed_before_it_is_read() -> None:
    """What waits for it may wait for ever, whoever else writes packets twice."""
    plan = load("transfer_pack")
    blocks = plan["gpus"][1]["threadblocks"]
    blocks[0]["ops"] *= 2
    (op,) = blocks[2]["ops"]
    assert op["name"] == "upkt"
    op["dst_buff"][0]["type"] = "s"
    report = judge(plan)
    assert status(report)["no-race"] is Status.REFUTED
    assert status(report)["no-deadlock"] is Status.UNKNOWN
    assert "no-deadlock" in interpret(json.dumps(plan), seeds=range(4))


def chain(*blocks: list[tuple[str, str, str]]) -> Json:
    """One rank does something, each operation a (name, source, target) of chunks like i0."""

    def operand(text: str) -> Json:
        return {"type": text[0], "index": int(text[1:]), "size": 1}

    plan = pipeline(1) | {"protocol": "LL", "reuse_resources": False}
    plan["gpus"] = copy.deepcopy(plan["gpus"])
    for gpu in plan["gpus"]:
        gpu |= {"input_chunks": 4, "output_chunks": 4, "scratch_chunks": 8}
        gpu["threadblocks"][0]["ops"] = []
    plan["gpus"][0]["threadblocks"] = [
        {"id": number, "channels": [], "remote_buffer_refs": [],
         "ops": [{"name": name, "src_buff": [operand(source)], "dst_buff": [operand(target)]}
                 if source else {"name": name} for name, source, target in block]}
        for number, block in enumerate(blocks)
    ]  # fmt: skip
    return plan


@pytest.mark.parametrize(
    ("blocks", "races"),
    [
        # Whoever holds the packet knows that what it is made of was read, …
        ([[("cpkt", "i0", "s0")], [("upkt", "s0", "i0")]], False),
        # … but not that the thread was done with what else it had read before, …
        ([[("cpkt", "i0", "s0"), ("cpkt", "i1", "s1")], [("upkt", "s1", "i0")]], True),
        # … or would read after. What a thread has heard it knows for all that it does later, …
        ([[("cpkt", "i1", "s1"), ("cpkt", "i0", "s0")], [("upkt", "s1", "i0")]], True),
        (
            [
                [("cpkt", "i0", "s0")],
                [("upkt", "s0", "i1"), ("cpkt", "i2", "s1")],
                [("upkt", "s1", "i0")],
            ],
            False,
        ),
        # … beyond the next meeting of another block's threads, too, …
        (
            [
                [("cpkt", "i0", "s0")],
                [("upkt", "s0", "i1"), ("cpkt", "i2", "s1")],
                [("upkt", "s1", "i3"), ("nop", "", ""), ("copy", "i3", "i0")],
            ],
            False,
        ),
        # … if the packet is made of what was read, …
        (
            [
                [("cpkt", "i0", "s0"), ("cpkt", "i1", "s1")],
                [("upkt", "s1", "i3"), ("nop", "", ""), ("copy", "i3", "i0")],
            ],
            True,
        ),
        # … and not for what the thread did before.
        (
            [
                [("cpkt", "i0", "s0")],
                [("cpkt", "i2", "s1"), ("upkt", "s0", "i1")],
                [("upkt", "s1", "i0")],
            ],
            True,
        ),
        # Of two packets in one place a reader meets either.
        ([[("cpkt", "i0", "s0"), ("cpkt", "i1", "s0")], [("upkt", "s0", "i2")]], True),
    ],
)
def test_what_a_packet_tells(blocks: list[list[tuple[str, str, str]]], races: bool) -> None:
    plan = chain(*blocks)
    assert ("no-race" in refuted(judge(plan))) == races
    assert ("no-race" in interpret(json.dumps(plan), seeds=range(6))) == races

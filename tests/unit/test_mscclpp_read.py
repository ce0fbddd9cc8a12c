"""Reading plans: what is refused, where, and with which remedy."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from certune.core import InvalidPayload
from certune.tasks.collective.mscclpp.read import MAX_BYTES, read_plan

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"
ALLTOALL = json.loads((PLANS / "alltoall.json").read_bytes())
TBG = json.loads((PLANS / "reduce_tbg.json").read_bytes())
NVLS = json.loads((PLANS / "reduce_nvls.json").read_bytes())
PIPELINE = json.loads((PLANS / "allreduce_pipeline.json").read_bytes())

Path_ = tuple[str | int, ...]
FIRST = ("gpus", 0, "threadblocks", 0)


def changed(plan: Any, path: Path_, value: Any) -> bytes:
    plan = copy.deepcopy(plan)
    at = plan
    for key in path[:-1]:
        at = at[key]
    if value is KeyError:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return json.dumps(plan).encode()


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda p: p.stem)
def test_real_plans_are_read(path: Path) -> None:
    plan = read_plan(path.read_bytes())
    raw = json.loads(path.read_bytes())
    assert plan.ranks == len(raw["gpus"])
    assert plan.operations == sum(
        1 + len(op.get("ops", ()))
        for g in raw["gpus"]
        for t in g["threadblocks"]
        for op in t["ops"]
    )


REFUSED = [
    (ALLTOALL, ("nmae",), "x", "file", "did you mean 'name'"),
    (ALLTOALL, ("name",), KeyError, "file", "'name' is missing"),
    (ALLTOALL, ("collective",), "alreduce", "collective", "did you mean 'allreduce'"),
    (ALLTOALL, ("protocol",), "LL128", "protocol", "unknown protocol 'LL128'"),
    (ALLTOALL, ("inplace",), 1, "inplace", "expected true or false, found an integer"),
    (ALLTOALL, ("gpus",), [], "gpus", "0 gpus"),
    (ALLTOALL, ("gpus", 3, "id"), 4, "gpus[3].id", "write 3"),
    (ALLTOALL, ("gpus", 2, "input_chunks"), 8, "gpus[2]", "rank 0 into 16 and 16"),
    (ALLTOALL, ("gpus", 0, "input_chunks"), -1, "gpus[0].input_chunks", "out of range"),
    (ALLTOALL, ("gpus", 0, "scratch_chunks"), 10**9, "gpus[0].scratch_chunks", "out of range"),
    (ALLTOALL, ("gpus", 0, "scratch_chunks"), True, "gpus[0].scratch_chunks", "found a boolean"),
    (
        ALLTOALL,
        ("gpus", 0, "channels", 0, "connected_to", 2),
        8,
        "gpus[0].channels[0].connected_to[2]",
        "8 is no rank; give 0 to 7",
    ),
    (
        ALLTOALL,
        ("gpus", 0, "channels", 0, "connected_to", 2),
        0,
        "gpus[0].channels[0].connected_to[2]",
        "connected to itself",
    ),
    (
        ALLTOALL,
        ("gpus", 0, "remote_buffers", 1, "rank"),
        0,
        "gpus[0].remote_buffers[1].rank",
        "the rank's own",
    ),
    (
        ALLTOALL,
        ("gpus", 0, "remote_buffers", 1, "type"),
        "x",
        "gpus[0].remote_buffers[1].type",
        "unknown type 'x'",
    ),
    (
        ALLTOALL,
        (*FIRST, "channels", 0, "channel_ids", 0),
        14,
        "gpus[0].threadblocks[0].channels[0].channel_ids[0]",
        "14 is no memory channel of this rank; give 0 to 13",
    ),
    (
        ALLTOALL,
        (*FIRST, "remote_buffer_refs", 0, "remote_buffer_ids", 0),
        7,
        "gpus[0].threadblocks[0].remote_buffer_refs[0].remote_buffer_ids[0]",
        "7 is no remote buffer of this rank",
    ),
    (
        ALLTOALL,
        (*FIRST, "remote_buffer_refs", 0, "access_channel_type"),
        "port",
        "gpus[0].threadblocks[0].remote_buffer_refs[0].remote_buffer_ids[0]",
        "not reached through port channels",
    ),
    (
        ALLTOALL,
        (*FIRST, "ops", 1, "channel_ids", 0),
        1,
        "gpus[0].threadblocks[0].ops[1].channel_ids[0]",
        "1 is no memory channel of this thread block; give 0 to 0",
    ),
    (
        ALLTOALL,
        (*FIRST, "ops", 1, "channel_ids"),
        [0, 0],
        "gpus[0].threadblocks[0].ops[1].channel_ids",
        "named twice",
    ),
    (
        ALLTOALL,
        (*FIRST, "ops", 5, "name"),
        "pt",
        "gpus[0].threadblocks[0].ops[5].name",
        "did you mean 'put'",
    ),
    (
        ALLTOALL,
        (*FIRST, "ops", 5, "name"),
        "glre",
        "gpus[0].threadblocks[0].ops[5].name",
        "the executor has no operation 'glre'",
    ),
    (
        ALLTOALL,
        (*FIRST, "ops", 5, "dst_buff", 0, "buffer_id"),
        3,
        "gpus[0].threadblocks[0].ops[5].dst_buff[0].buffer_id",
        "3 is no remote buffer of this thread block",
    ),
    (
        ALLTOALL,
        (*FIRST, "ops", 5, "src_buff", 0, "size"),
        0,
        "gpus[0].threadblocks[0].ops[5].src_buff[0].size",
        "out of range",
    ),
    (
        ALLTOALL,
        (*FIRST, "ops", 5, "src_buff", 0, "buffer_id"),
        0,
        "gpus[0].threadblocks[0].ops[5].src_buff[0]",
        "type and buffer_id",
    ),
    (
        ALLTOALL,
        (*FIRST, "ops", 0, "channel_ids"),
        [],
        "gpus[0].threadblocks[0].ops[0]",
        "unknown member 'channel_ids'",
    ),
    (TBG, (*FIRST, "ops", 0, "tbg_info", "tb_id"), 2, "tbg_info.tb_id", "give 0 to 1"),
    (NVLS, ("gpus", 0, "channels", 1, "rank_groups", 0, "size"), 1, "rank_groups[0]", "2 ranks"),
    (NVLS, ("gpus", 0, "channels", 1, "rank_groups", 0, "ranks"), [1, 1], "ranks", "twice"),
    (NVLS, ("gpus", 0, "channels", 1, "rank_groups", 0, "ranks"), [1], "ranks", "own group"),
    (
        PIPELINE,
        (*FIRST, "ops", 0, "ops", 0),
        {"name": "pipeline", "iter_context": {"unit_size": 16, "num_chunks": 1}, "ops": []},
        "gpus[0].threadblocks[0].ops[0].ops[0]",
        "a pipeline inside a pipeline",
    ),
    (
        PIPELINE,
        (*FIRST, "ops", 0, "ops", 0, "semaphore_ids", 0),
        3,
        "gpus[0].threadblocks[0].ops[0].ops[0].semaphore_ids[0]",
        "3 is no semaphore of this rank",
    ),
]


@pytest.mark.parametrize(("plan", "path", "value", "place", "words"), REFUSED)
def test_refused(plan: Any, path: Path_, value: Any, place: str, words: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        read_plan(changed(plan, path, value), "plan.json")
    error = caught.value
    assert error.place.startswith("plan.json: ")
    assert place in error.place
    assert words in f"{error.message}; {error.remedy}"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "expected an object, found an array"),
        (b'{"name": 1, "name": 2}', "given twice"),
        (b'{"gpus": NaN}', "NaN is not JSON"),
        (b'{"gpus": ' + b"9" * 30 + b"}", "integer with 30 digits"),
        (b"[" * 200_000, "nested too deeply"),
        (b" " * (MAX_BYTES + 1), "the limit is"),
    ],
)
def test_no_plan_at_all(data: bytes, words: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        read_plan(data)
    assert words in str(caught.value)


def test_limits_of_the_executor_are_left_to_the_verifier() -> None:
    plan = copy.deepcopy(ALLTOALL)
    plan["gpus"][0]["threadblocks"][0]["ops"] += [{"name": "nop"}] * 100
    assert read_plan(json.dumps(plan).encode()).gpus[0].threadblocks[0].expanded == 111

"""Whatever bytes come, reading ends in a plan or in InvalidPayload, and verifying in a report."""

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certune.core import InvalidPayload, Obligation, Status
from certune.tasks.collective.mscclpp.explain import explain
from certune.tasks.collective.mscclpp.verify import verify_plan
from certune.tasks.collective.mscclpp.write import dump_plan

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"
NAMES = ("transfer_pack", "reduce_nvls", "reduce_tbg", "allreduce_packet", "allreduce_pipeline")
REAL = {name: (PLANS / f"{name}.json").read_bytes() for name in NAMES}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70),
    st.sampled_from([2**31, 2**32, 2**63, 2**64 - 1, 10**9, 1_048_576, -1, 65_536]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=5),
    st.lists(st.integers(-1, 20), max_size=4),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
    st.sampled_from(["pipeline", "barrier", "gstore", "glres", "re", "port", "switch", "o", "s"]),
)


def judge(data: bytes) -> bool:
    """Whether `data` is a plan; everything but InvalidPayload comes through."""
    try:
        report = verify_plan(data, place="plan.json")
    except InvalidPayload:
        return False
    assert all(type(o) is Obligation for o in report.obligations)
    low = [o for o in report.obligations if o.status < Status.TESTED]
    assert all(o.counterexample is not None for o in low)
    assert list(explain(report.plan))
    dump_plan(report.plan)
    return True


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member and entry."""
    found = []
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found.append((*here, key))
            found += paths(item, (*here, key))
    return found


PATHS = {name: paths(json.loads(REAL[name])) for name in NAMES[:4]}


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_members_replaced(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES[:4]))
    plan = json.loads(REAL[name])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(PATHS[name]))
        at = plan
        try:
            for key in path[:-1]:
                at = at[key]
            if data.draw(st.integers(0, 4)):
                at[path[-1]] = data.draw(ODD)
            else:
                del at[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
    judge(json.dumps(plan).encode())


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(NAMES), st.randoms(use_true_random=False))
def test_bytes_damaged(name: str, rnd: random.Random) -> None:
    data = bytearray(REAL[name])
    for _ in range(rnd.randrange(1, 6)):
        at = rnd.randrange(len(data))
        what = rnd.randrange(4)
        if what == 0:
            data[at] = rnd.randrange(256)
        elif what == 1:
            del data[at : at + rnd.randrange(1, 50)]
        elif what == 2:
            data[at:at] = bytes(rnd.choices(b'{}[]",:0123456789ios', k=rnd.randrange(1, 4)))
        else:
            del data[at:]
            break
        if not data:
            break
    judge(bytes(data))


@settings(deadline=None, max_examples=60)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.sampled_from(["gpus", "name", "id", "ops", "threadblocks", "channels"]), inner
            ),
        ),
        max_leaves=12,
    )
)
def test_any_json(value: Any) -> None:
    assert not judge(json.dumps(value).encode())


def _bomb(**changes: Any) -> bytes:
    plan = json.loads(REAL["reduce_nvls"])
    for path, value in changes.items():
        for gpu in plan["gpus"]:
            gpu[path] = value
    return json.dumps(plan).encode()


def test_large_numbers_take_no_time() -> None:
    began = time.perf_counter()
    # More memory than is looked at, operands of a million chunks, endless pipelines.
    assert judge(_bomb(input_chunks=65_536, output_chunks=65_536, scratch_chunks=65_536))
    plan = json.loads(REAL["reduce_tbg"])
    for gpu in plan["gpus"]:
        for tb in gpu["threadblocks"]:
            for op in tb["ops"]:
                for operand in op.get("src_buff", []) + op.get("dst_buff", []):
                    operand["size"] = 1_000_000
    assert judge(json.dumps(plan).encode())
    plan = json.loads(REAL["allreduce_pipeline"])
    for gpu in plan["gpus"]:
        for tb in gpu["threadblocks"]:
            tb["ops"][0]["iter_context"] = {"unit_size": 1, "num_chunks": 1_000_000}
    judge(json.dumps(plan).encode())
    assert time.perf_counter() - began < 20


def damaged(rnd: random.Random) -> bytes:
    """A small plan with some bytes changed; one in four by digits only, which leaves it JSON."""
    data = bytearray(REAL[rnd.choice(NAMES[:4])])
    digits = [at for at, byte in enumerate(data) if chr(byte).isdigit()]
    only_digits = not rnd.randrange(4)
    for _ in range(rnd.randrange(1, 4)):
        if only_digits:
            data[rnd.choice(digits)] = rnd.choice(b"0123456789")
        else:
            data[rnd.randrange(len(data))] = rnd.choice(b'0123456789ios{}[],"')
    return bytes(data)


@pytest.mark.slow
def test_many_bytes_damaged() -> None:
    rnd = random.Random(7)
    plans = sum(judge(damaged(rnd)) for _ in range(10_000))
    assert plans > 500


def _large(plan: Any, blocks: list[list[Any]]) -> bytes:
    for gpu in plan["gpus"]:
        tables = gpu["threadblocks"][0]
        gpu["threadblocks"] = [{**tables, "id": k, "ops": ops} for k, ops in enumerate(blocks)]
    return json.dumps(plan).encode()


def test_nothing_grows_with_the_square() -> None:
    """Long chains of relaxed signals, packets that come one by one, pipelines without end."""
    began = time.process_time()
    relaxed = {"name": "rlxsignal", "channel_type": "memory", "channel_ids": [0]}
    wait = {"name": "wait", "channel_type": "memory", "channel_ids": [0]}
    plan = json.loads(REAL["reduce_nvls"])
    assert judge(_large(plan, [[relaxed] * 8_000, [wait] * 8_000]))
    plan = json.loads(REAL["reduce_nvls"])
    plan["protocol"] = "LL"
    for gpu in plan["gpus"]:
        gpu["scratch_chunks"] = gpu["input_chunks"] = gpu["output_chunks"] = 4_000
    whole = {
        "name": "upkt",
        "src_buff": [{"type": "s", "index": 0, "size": 4_000}],
        "dst_buff": [{"type": "o", "index": 0, "size": 4_000}],
    }
    single = [
        {
            "name": "cpkt",
            "src_buff": [{"type": "i", "index": k, "size": 1}],
            "dst_buff": [{"type": "s", "index": k, "size": 1}],
        }
        for k in range(4_000)
    ]
    assert judge(_large(plan, [[whole], single]))
    assert judge(_large(plan, [[whole, *single]]))
    plan = json.loads(REAL["allreduce_pipeline"])
    plan["reuse_resources"] = False
    for gpu in plan["gpus"]:
        for tb in gpu["threadblocks"]:
            tb["ops"][0]["iter_context"]["num_chunks"] = 1_000_000
    assert judge(json.dumps(plan).encode())
    assert time.process_time() - began < 20

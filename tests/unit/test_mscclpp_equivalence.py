"""The tests' own reasons why two plans do the same: each met once, and refused where it is none."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mscclpp_equivalence import Different, explain

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"
Json = Any
SIZES = [("units", 1), ("units", 3)]


def why(
    change: Callable[[Json], None],
    name: str = "transfer_pack",
    before: Callable[[Json], None] = lambda plan: None,
) -> str:
    plan = json.loads((PLANS / f"{name}.json").read_bytes())
    before(plan)
    original = json.dumps(plan).encode()
    change(plan)
    return explain(original, json.dumps(plan).encode(), SIZES)


def ops(plan: Json, rank: int, block: int) -> list[Json]:
    return plan["gpus"][rank]["threadblocks"][block]["ops"]


def test_the_same_operations() -> None:
    def unused(plan: Json) -> None:
        plan["gpus"][0]["remote_buffers"].append(
            {"rank": 1, "type": "i", "access_channel_types": ["memory"]}
        )

    assert why(unused) == "the same operations"


def test_another_setting() -> None:
    assert why(lambda plan: plan.update(use_double_scratch_buffer=False)) == "another setting"


def test_other_synchronisation() -> None:
    assert why(lambda plan: ops(plan, 0, 0).append({"name": "nop"})) == "other synchronisation"


def test_another_order() -> None:
    def two(plan: Json) -> None:
        second = copy.deepcopy(ops(plan, 0, 1)[0])
        second["src_buff"][0]["index"], second["dst_buff"][0]["type"] = 1, "s"
        second["name"], second["dst_buff"][0]["index"] = "rppkt", 0
        ops(plan, 1, 2).append({"name": "upkt", "src_buff": [{"type": "s", "index": 1, "size": 1}],
                                "dst_buff": [{"type": "o", "index": 1, "size": 1}]})  # fmt: skip

    assert why(lambda plan: ops(plan, 1, 2).reverse(), before=two) == "another order"


def test_another_thread_block() -> None:
    def swapped(plan: Json) -> None:
        one, other = plan["gpus"][1]["threadblocks"][0], plan["gpus"][1]["threadblocks"][2]
        one["ops"], other["ops"] = other["ops"], one["ops"]

    assert why(swapped) == "another thread block"


def test_idle_write() -> None:
    def again(plan: Json) -> None:
        ops(plan, 1, 2)[0]["src_buff"][0]["size"] = 2
        ops(plan, 1, 2)[0]["dst_buff"][0]["size"] = 2

    assert why(again) == "idle write"
    assert why(lambda plan: ops(plan, 0, 1).append(copy.deepcopy(ops(plan, 0, 1)[0]))) in (
        "idle write",
    )


def test_equal_values_and_another_sum() -> None:
    """The own packet of three ranks' sum is taken from scratch, or the terms in another order."""
    size = {"index": 0, "size": 1}

    def summed(order: tuple[int, ...]) -> Callable[[Json], None]:
        def change(plan: Json) -> None:
            plan.update(collective="test", inplace=False, use_double_scratch_buffer=False)
            for gpu in plan["gpus"]:
                gpu.update(input_chunks=4, output_chunks=1, scratch_chunks=4)
                for block in gpu["threadblocks"]:
                    block["ops"] = []
            ops(plan, 0, 0)[:] = [
                {"name": "copy", "src_buff": [{"type": "i", **size}],
                 "dst_buff": [{"type": "s", **size}]},
                {"name": "re", "src_buff": [{"type": "i", "index": k, "size": 1} for k in order],
                 "dst_buff": [{"type": "o", **size}]},
            ]  # fmt: skip

        return change

    first = summed((0, 1, 2))
    assert why(summed((1, 0, 2)), before=first) == "equal values"
    assert why(summed((0, 2, 1)), before=first) == "another sum"

    def from_scratch(plan: Json) -> None:
        ops(plan, 0, 0)[1]["src_buff"][0].update(type="s", index=0)

    assert why(from_scratch, before=first) == "equal values"
    with pytest.raises(Different, match="other results"):
        why(summed((0, 1, 1)), before=first)


def test_what_is_no_reason() -> None:
    def lost(plan: Json) -> None:
        ops(plan, 1, 0).clear()

    with pytest.raises(Different, match="no-deadlock"):
        why(lost)

    def outside(plan: Json) -> None:
        ops(plan, 0, 1)[0]["dst_buff"][0]["index"] = 2

    with pytest.raises(Different, match="out of bounds"):
        why(outside)

    def elsewhere(plan: Json) -> None:
        ops(plan, 0, 1)[0]["dst_buff"][0]["index"] = 0

    with pytest.raises(Different):
        why(elsewhere)

"""Plans made to look right: none of them is accepted, each for its own reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from certune.core import InvalidPayload, Status
from certune.tasks.collective.mscclpp.verify import PlanReport, verify_plan

PLANS = Path(__file__).parents[1] / "data" / "mscclpp-plans"

Json = Any


def load(name: str) -> Json:
    return json.loads((PLANS / f"{name}.json").read_bytes())


def judge(plan: Json) -> PlanReport:
    return verify_plan(json.dumps(plan).encode())


def blocks(plan: Json) -> list[Json]:
    return [tb for gpu in plan["gpus"] for tb in gpu["threadblocks"]]


def position(ops: list[Json], name: str, nth: int = 0) -> int:
    return [k for k, op in enumerate(ops) if op["name"] == name][nth]


def drop(name: str, nth: int = 0) -> Callable[[Json], None]:
    def change(plan: Json) -> None:
        for tb in blocks(plan):
            tb["ops"].pop(position(tb["ops"], name, nth))

    return change


def rename(old: str, new: str) -> Callable[[Json], None]:
    def change(plan: Json) -> None:
        for tb in blocks(plan):
            for op in tb["ops"]:
                if op["name"] == old:
                    op["name"] = new

    return change


def put(key: str, value: Any) -> Callable[[Json], None]:
    def change(plan: Json) -> None:
        plan[key] = value

    return change


def nothing_at_all(plan: Json) -> None:
    for tb in blocks(plan):
        tb["ops"] = []


def no_entry(plan: Json) -> None:
    """Without waiting for the peer to start."""
    for tb in blocks(plan):
        tb["ops"] = [op for op in tb["ops"] if not op["name"].startswith("rlx")]


def maximum(plan: Json) -> None:
    for tb in blocks(plan):
        for op in tb["ops"]:
            if "reduce_op" in op:
                op["reduce_op"] = "max"


def flushed(plan: Json) -> None:
    """The flush that should make the source reusable does nothing in the executor."""
    for tb in blocks(plan):
        at = position(tb["ops"], "pws")
        flush = {"name": "flush", "channel_type": "port", "channel_ids": [0]}
        tb["ops"][at + 1 : at + 1] = [flush, {"name": "nop"}]


def put_with_flush(plan: Json) -> None:
    rename("pws", "pwsf")(plan)


def crossed(plan: Json) -> None:
    """get with different offsets: the executor exchanges them."""
    for tb in blocks(plan):
        for op in tb["ops"]:
            if op["name"] == "get":
                op["dst_buff"][0]["index"] = 2


def sixty_five(plan: Json) -> None:
    ops = blocks(plan)[0]["ops"]
    ops += [{"name": "nop"}] * (65 - len(ops))


def many_channels(plan: Json) -> None:
    gpu = plan["gpus"][0]
    gpu["channels"][0]["connected_to"] = [1] * 20
    gpu["threadblocks"][0]["channels"][0]["channel_ids"] = list(range(17))


def few_threads(plan: Json) -> None:
    plan["num_threads_per_block"] = 4


def one_signal_too_many(plan: Json) -> None:
    """All ends well, but the next launch finds a counter ahead."""
    ops = plan["gpus"][0]["threadblocks"][0]["ops"]
    ops.append({"name": "signal", "channel_type": "memory", "channel_ids": [0]})


def own_input(plan: Json) -> None:
    """Out of place, yet results are left in the input and copied from there."""
    plan["inplace"] = False


def added_twice(plan: Json) -> None:
    for gpu in plan["gpus"]:
        for op in gpu["threadblocks"][0]["ops"]:
            if op["name"] == "rre":
                op["src_buff"].append(dict(op["src_buff"][1]))


def racing_counter(plan: Json) -> None:
    """Two thread blocks wait on one channel; who gets which signal is luck."""
    for gpu in plan["gpus"]:
        gpu["threadblocks"][1]["channels"][0]["channel_ids"] = [0, 0]


CHEATS: list[tuple[str, Callable[[Json], None], str, Status, str]] = [
    ("alltoall", nothing_at_all, "postcondition", Status.REFUTED, "not with rank"),
    ("alltoall", drop("wait"), "repeatable", Status.REFUTED, "more signals than waits"),
    ("alltoall", rename("signal", "rlxsignal"), "no-race", Status.REFUTED, "nothing orders"),
    ("alltoall", rename("wait", "rlxwait"), "no-race", Status.REFUTED, "nothing orders"),
    # Between put and signal the threads do not meet: some have not stored yet.
    ("alltoall", drop("nop", 3), "no-race", Status.REFUTED, "nothing orders"),
    # Between wait and copy they do not: some have not waited.
    ("alltoall", drop("nop", 4), "no-race", Status.REFUTED, "nothing orders"),
    ("alltoall", no_entry, "scratch-reuse", Status.REFUTED, "1 launch later"),
    ("alltoall", put("collective", "test"), "postcondition", Status.UNKNOWN, "'test'"),
    ("alltoall", put("collective", "allreduce"), "postcondition", Status.REFUTED, "the sum of"),
    ("alltoall", put("inplace", False), "input-unchanged", Status.REFUTED, "out-of-place"),
    ("alltoall", put("max_message_size", 2**33), "message-sizes", Status.REFUTED, "overflow"),
    ("alltoall", put("use_double_scratch_buffer", True), "as-written", Status.REFUTED, "half"),
    ("alltoall", sixty_five, "loads", Status.REFUTED, "65 operations; the limit is 64"),
    ("alltoall", many_channels, "loads", Status.REFUTED, "17 memory channels; room is for 16"),
    ("alltoall", one_signal_too_many, "repeatable", Status.REFUTED, "more signals than waits"),
    ("mn_reducescatter", few_threads, "loads", Status.REFUTED, "only 4 threads"),
    ("mn_reducescatter", flushed, "exit-safe", Status.REFUTED, "(pws) may still be reading"),
    ("mn_reducescatter", put_with_flush, "as-written", Status.REFUTED, "address of a table"),
    ("mn_reducescatter", maximum, "as-written", Status.REFUTED, "the executor always adds"),
    ("mn_reducescatter", added_twice, "postcondition", Status.REFUTED, "twice"),
    ("mn_reducescatter", put("buffer_alignment", 4), "message-sizes", Status.UNKNOWN, "remainders"),
    ("mn_reducescatter", put("reuse_resources", True), "as-written", Status.REFUTED, "registered"),
    ("reduce_tbg", crossed, "as-written", Status.REFUTED, "exchanges the offsets of get"),
    ("reduce_tbg", racing_counter, "no-race", Status.UNKNOWN, "another thread block waits"),
    (
        "allgather_pkt",
        put("use_double_scratch_buffer", False),
        "scratch-reuse",
        Status.REFUTED,
        "1 launch later",
    ),
    ("allgather_pkt", put("protocol", "Simple"), "bounds", Status.REFUTED, "packets take twice"),
    ("allgather_pkt", drop("upkt"), "postcondition", Status.REFUTED, "nothing that was written"),
    ("allgather_pkt", drop("ppkt"), "no-deadlock", Status.REFUTED, "waits for the packet"),
]


def _only_where_there(change: Callable[[Json], None]) -> Callable[[Json], None]:
    def apply(plan: Json) -> None:
        whole = blocks(plan)
        for tb in whole:
            one = {"gpus": [{"threadblocks": [tb]}]}
            try:
                change(one)
            except IndexError:
                continue

    return apply


@pytest.mark.parametrize(("name", "change", "obligation", "status", "words"), CHEATS)
def test_not_accepted(
    name: str, change: Callable[[Json], None], obligation: str, status: Status, words: str
) -> None:
    plan = load(name)
    try:
        change(plan)
    except IndexError:  # only some thread blocks have the operation
        plan = load(name)
        _only_where_there(change)(plan)
    report = judge(plan)
    assert not report.verdict.met
    found = next(o for o in report.obligations if o.name == obligation)
    assert found.status is status, [(o.name, o.status.value) for o in report.obligations]
    assert found.counterexample is not None
    assert words in found.counterexample.sentence


def test_an_operation_that_the_executor_lacks_is_no_plan() -> None:
    plan = load("reduce_nvls")
    rename("glres", "glre")(plan)
    with pytest.raises(InvalidPayload, match="glre"):
        judge(plan)


def test_a_deadlock_names_its_cycle() -> None:
    plan = load("alltoall")
    for gpu in plan["gpus"]:
        for tb in gpu["threadblocks"]:
            ops = tb["ops"]
            a, b = position(ops, "rlxsignal"), position(ops, "rlxwait")
            ops[a], ops[b] = ops[b], ops[a]
    report = judge(plan)
    found = next(o for o in report.obligations if o.name == "no-deadlock")
    assert found.status is Status.REFUTED
    assert found.counterexample is not None
    assert "that is a cycle" in found.counterexample.sentence
    assert found.counterexample.data["cycle"] is True

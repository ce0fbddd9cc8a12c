"""Plans over port channels: written where they are right, refused where a proxy may be late."""

from __future__ import annotations

import json

import pytest
from mscclpp_agreement import compare

from certune.core import InvalidInput, Status
from certune.tasks.collective.baselines import baseline
from certune.tasks.collective.library import build
from certune.tasks.collective.mscclpp.lower import lower
from certune.tasks.collective.mscclpp.verify import verify_plan
from certune.tasks.collective.mscclpp.write import dump_plan

KINDS = ("allgather", "reduce-scatter", "allreduce", "alltoall")


def written(kind: str, name: str = "direct", *, inplace: bool = False, blocks: int = 1) -> bytes:
    schedule = baseline(name, kind, build("full", {"ranks": "4"})).normalised()
    return dump_plan(lower(schedule, inplace=inplace, threadblocks=blocks, channel="port"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["direct", "ring"])
def test_every_obligation_is_proved_of_what_is_written(kind: str, name: str) -> None:
    data = written(kind, name)
    assert verify_plan(data).verdict.status is Status.PROVED
    channels = [c["channel_type"] for gpu in json.loads(data)["gpus"] for c in gpu["channels"]]
    assert set(channels) == {"port"}


@pytest.mark.parametrize("kind", KINDS[:3])
def test_in_place_and_by_groups_of_thread_blocks(kind: str) -> None:
    assert verify_plan(written(kind, inplace=True, blocks=2)).verdict.status is Status.PROVED


@pytest.mark.parametrize("kind", KINDS)
def test_the_interpreter_of_the_tests_agrees(kind: str) -> None:
    compare(written(kind))


def test_without_the_last_messages_a_proxy_may_still_read() -> None:
    plan = json.loads(written("allgather"))
    for gpu in plan["gpus"]:
        for block in gpu["threadblocks"]:
            ops = block["ops"]
            last = max(i for i, op in enumerate(ops) if op["name"] == "signal")
            block["ops"] = ops[:last]
    report = verify_plan(json.dumps(plan).encode())
    failed = {o.name for o in report.obligations if not o.met}
    assert "exit-safe" in failed


def test_what_would_be_overwritten_while_it_is_sent_is_refused() -> None:
    schedule = baseline("direct", "alltoall", build("full", {"ranks": "4"})).normalised()
    with pytest.raises(InvalidInput, match="over port channels"):
        lower(schedule, inplace=True, channel="port")

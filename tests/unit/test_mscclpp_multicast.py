"""Plans over switch channels: proved, agreed on by the tests' interpreter, wrong when damaged."""

from __future__ import annotations

import json

import pytest
from mscclpp_agreement import compare
from typer.testing import CliRunner

from certune.cli import app
from certune.core import InvalidInput, Status
from certune.tasks.collective.mscclpp.multicast import KINDS, multicast
from certune.tasks.collective.mscclpp.verify import verify_plan
from certune.tasks.collective.mscclpp.write import dump_plan


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ranks", [2, 3, 8, 17])
def test_every_obligation_is_proved(kind: str, ranks: int) -> None:
    assert verify_plan(dump_plan(multicast(kind, ranks))).verdict.status is Status.PROVED


@pytest.mark.parametrize("kind", KINDS)
def test_the_interpreter_of_the_tests_agrees(kind: str) -> None:
    compare(dump_plan(multicast(kind, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_with_relaxed_signals_at_the_end_a_peer_may_leave_early(kind: str) -> None:
    text = dump_plan(multicast(kind, 2)).decode().replace('"signal"', '"rlxsignal"')
    report = verify_plan(text.replace('"wait"', '"rlxwait"').encode())
    assert "exit-safe" in {o.name for o in report.obligations if not o.met}


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_nobody_takes_is_missed(kind: str) -> None:
    plan = json.loads(dump_plan(multicast(kind, 3)))
    for op in plan["gpus"][2]["threadblocks"][0]["ops"]:
        if op["name"] in ("glres", "gstore"):
            for operand in op["src_buff"] + op["dst_buff"]:
                operand["index"] = 1
    report = verify_plan(json.dumps(plan).encode())
    assert not report.verdict.met


def test_other_collectives_and_too_many_ranks_are_refused() -> None:
    with pytest.raises(InvalidInput, match="alltoall"):
        multicast("alltoall", 4)
    with pytest.raises(InvalidInput, match="18 ranks"):
        multicast("allreduce", 18)


def test_the_command_writes_a_plan(tmp_path) -> None:
    file = tmp_path / "nvls.json"
    done = CliRunner().invoke(app, ["multicast", "allreduce", "-n", "4", "-o", str(file)])
    assert done.exit_code == 0, done.output
    assert verify_plan(file.read_bytes()).verdict.met
    assert CliRunner().invoke(app, ["multicast", "gather"]).exit_code == 2

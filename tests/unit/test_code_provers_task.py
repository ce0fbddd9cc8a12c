"""Tasks that name a prover of another language; the tools run where they are installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from certune.core.candidate import Payload
from certune.core.codec import decode, encode
from certune.core.errors import ConfigurationError, InvalidInput, Unavailable
from certune.core.family import Context
from certune.core.spec import TaskSpec
from certune.core.status import Status
from certune.judging import judge
from certune.tasks.code.family import CodeFamily
from certune.tasks.code.provers.framac import FramaC
from certune.tasks.code.provers.known import PROVERS

DATA = Path(__file__).parents[1] / "data" / "provers"
FAMILY = CodeFamily()
FILES = {"frama-c": "count.c", "dafny": "largest.dfy", "verus": "count.rs"}

needs_frama_c = pytest.mark.skipif(
    shutil.which("frama-c") is None, reason="frama-c is not installed (frama-c-base): not run"
)


def spec(prover: str, path: Path | None = None) -> TaskSpec:
    where = str(path or DATA / FILES[prover])
    return FAMILY.spec("code/file", {"path": where, "prover": prover})


@pytest.mark.parametrize("prover", sorted(PROVERS))
def test_a_specification_holds_the_program_and_is_read_back(prover: str):
    made = spec(prover)
    again = decode(TaskSpec, encode(made), "")
    task = FAMILY.open(again)
    assert task.spec == made
    assert task.brief().formats[0].name == task.recognise(b"anything") == "source"


@pytest.mark.parametrize("prover", sorted(PROVERS))
def test_the_annotated_program_is_the_task_without_its_annotations(prover: str):
    task = FAMILY.open(spec(prover))
    source = (DATA / FILES[prover]).read_bytes()
    assert task.elaborate(Payload("source", source), Context()).value is None


def test_what_is_asked_wrongly_is_said():
    with pytest.raises(ConfigurationError, match="dafny"):
        FAMILY.spec("code/file", {"path": "a.dfy", "prover": "dafni"})
    with pytest.raises(ConfigurationError, match="reads no"):
        FAMILY.spec("code/file", {"path": "a.c", "prover": "dafny"})
    with pytest.raises(ConfigurationError, match="asks"):
        FAMILY.spec("code/file", {"path": "a.c", "prover": "frama-c", "asks": "implementation"})
    with pytest.raises(InvalidInput, match="cannot be read"):
        FAMILY.spec("code/file", {"path": "missing.c", "prover": "frama-c"})


def test_a_task_that_assumes_is_refused(tmp_path: Path):
    path = tmp_path / "a.c"
    path.write_text("/*@ axiomatic A { axiom a: \\false; } */ int f(void) { return 0; }\n")
    with pytest.raises(InvalidInput, match="axiom"):
        spec("frama-c", path)


@pytest.mark.parametrize("prover", sorted(PROVERS))
def test_a_tool_that_is_missing_is_unavailable_and_told_how_to_get(
    prover: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Unavailable, match="not installed; "):
        PROVERS[prover].prove((DATA / FILES[prover]).read_text())


@needs_frama_c
def test_frama_c_proves_a_loop_in_the_sandbox():
    source = (DATA / "count.c").read_bytes()
    verdict = judge(FAMILY.open(spec("frama-c")), Payload("source", source), Context()).verdict
    assert verdict.met
    proof = verdict.obligations[1]
    assert proof.evidence["functions"] == ["count", "max2"]
    assert proof.evidence["isolation"] in ("confined", "contained")


@needs_frama_c
def test_frama_c_does_not_prove_what_is_wrong():
    source = (DATA / "count.c").read_text().replace("ensures \\result == n", "ensures \\result > n")
    report = FramaC().prove(source)
    assert report.status is Status.UNKNOWN
    assert "typed_count_ensures" in report.failures[0].message


@needs_frama_c
def test_frama_c_leaves_open_what_its_simplifier_cannot_show():
    assert FramaC().prove((DATA / "largest.c").read_text()).status is Status.UNKNOWN


@pytest.mark.skipif(shutil.which("dafny") is None, reason="dafny is not installed: not run")
def test_dafny_proves_in_the_sandbox_or_says_why_it_cannot_run_there():
    task = FAMILY.open(spec("dafny"))
    payload = Payload("source", (DATA / "largest.dfy").read_bytes())
    try:
        verdict = judge(task, payload, Context()).verdict
    except Unavailable as error:
        pytest.skip(f"dafny is installed and does not run in the sandbox: {error}")
    assert verdict.met

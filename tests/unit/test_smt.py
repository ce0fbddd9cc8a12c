"""SmtProver: answers, limits, and what it refuses."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from certune.core import Crashed, InvalidInput, Query, Unavailable
from certune.verifier import smt
from certune.verifier.child import ask, folder_of
from certune.verifier.smt import SmtProver, check_script

# Sums of three cubes: no solver finds 42 in this time.
HARD = """(declare-const x Int)(declare-const y Int)(declare-const z Int)
(assert (= (+ (* x x x) (* y y y) (* z z z)) 42))(check-sat)"""

ANSWERS = {
    "(declare-const x Int)(assert (> x 3))(assert (< x 4))(check-sat)": "unsat",
    "(declare-const x Int)(assert (> x 3))(check-sat)": "sat",
    "(check-sat)": "sat",
    "(declare-const |a)(| Int)(assert (< |a)(| |a)(|)) ; )(\n(check-sat)": "unsat",
    # By e-matching: f(3) > 3 is the instance that is needed.
    "(declare-fun f (Int) Int)(assert (forall ((x Int)) (> (f x) x)))"
    "(assert (< (f 3) 3))(check-sat)": "unsat",
}


def query(text: str) -> Query:
    return Query("smtlib2", text.encode())


@pytest.mark.parametrize(("text", "result"), ANSWERS.items())
def test_answers(text: str, result: str) -> None:
    answer = SmtProver().decide(query(text), seconds=30)
    assert answer.result == result
    assert answer.solver == "z3"
    assert "(ematching)" in answer.version
    assert answer.resources > 0


def test_the_same_query_takes_the_same_resources() -> None:
    text = next(iter(ANSWERS))
    answers = [SmtProver().decide(query(text), seconds=30) for _ in range(2)]
    assert answers[0].resources == answers[1].resources


def test_out_of_time_is_unknown() -> None:
    start = time.monotonic()
    answer = SmtProver(resources=10**9).decide(query(HARD), seconds=0.5)
    assert answer.result == "unknown"
    assert time.monotonic() - start < 5


def test_out_of_resources_is_unknown_and_names_each_setting() -> None:
    answer = SmtProver(resources=1000).decide(query(HARD), seconds=60)
    assert answer.result == "unknown"
    assert all(name in answer.version for name in ("ematching", "mbqi", "default"))


def test_stopped_is_unknown() -> None:
    prover = SmtProver(resources=10**9, stopped=lambda: True)
    start = time.monotonic()
    assert prover.decide(query(HARD), seconds=60).result == "unknown"
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(assert true)",
        "(assert true",
        "(assert true))(check-sat)",
        "(check-sat)(check-sat)",
        "(assert false)(push)(check-sat)",
        "(assert true)(exit)(check-sat)",
        "(assert true)(reset)(check-sat)",
        "(set-option :smt.arith.solver 1)(check-sat)",
        "(declare-const x Int)(check-sat-assuming (x))",
        '(set-info :x "unclosed)(check-sat)',
        "check-sat",
        "((assert) true)(check-sat)",
        "()(check-sat)",
    ],
)
def test_only_plain_scripts_are_asked(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_script(text.encode())


@pytest.mark.parametrize(
    "text", ["(assert x)(check-sat)", "(declare-const x Int)(assert (+ x 1))(check-sat)"]
)
def test_an_error_of_the_solver_is_no_answer(text: str) -> None:
    with pytest.raises(Crashed, match="error"):
        SmtProver().decide(query(text), seconds=30)


def test_an_error_stands_whatever_follows() -> None:
    output = b'(error "")\n{"result": "unsat", "setting": "s", "version": "1", "resources": 1}'
    with pytest.raises(Crashed):
        smt._answer(0, output, "", 0.0)


@pytest.mark.parametrize(
    "output",
    [b"", b"unsat", b"[]", b'{"result": "unsat"}', b'{"result": "yes", "setting": "s"}', b"\xff"],
)
def test_a_worker_that_babbles_has_crashed(output: bytes) -> None:
    with pytest.raises(Crashed):
        smt._answer(0, output, "", 0.0)


def test_a_worker_that_dies_has_crashed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(smt, "_WORKER", script)
    with pytest.raises(Crashed, match="-11"):
        SmtProver().decide(query("(check-sat)"), seconds=30)


def test_no_z3_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smt, "folder_of", lambda module: None)
    with pytest.raises(Unavailable, match="z3-solver"):
        SmtProver().decide(query("(check-sat)"), seconds=30)


def test_another_language_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        SmtProver().decide(Query("dimacs", b"p cnf 0 0\n"), seconds=1)


def test_a_child_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = tmp_path / "slow.py"
    script.write_text("import time\ntime.sleep(60)\n")
    start = time.monotonic()
    assert ask(script, (), b"x" * 2**20, seconds=0.3) is None
    assert time.monotonic() - start < 5


def test_large_input_and_output_pass(tmp_path: Path) -> None:
    script = tmp_path / "echo.py"
    script.write_text("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())\n")
    text = bytes(range(256)) * 2**12
    ended = ask(script, (), text, seconds=30)
    assert ended is not None
    assert ended.output == text
    assert ended.code == 0


def test_input_passes_to_a_child_that_is_slow_to_read(tmp_path: Path) -> None:
    script = tmp_path / "late.py"
    script.write_text("import sys, time\ntime.sleep(0.5)\nprint(len(sys.stdin.buffer.read()))\n")
    ended = ask(script, (), b"x" * 2**20, seconds=30)
    assert ended is not None
    assert int(ended.output) == 2**20


def test_folders_of_modules() -> None:
    assert folder_of("no_such_module_anywhere") is None
    assert folder_of("z3") in sys.path

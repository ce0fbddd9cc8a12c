"""The SAT prover: answers, limits, and a solver that cannot be trusted or does not live."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from certune.core import Crashed, InvalidInput, Query, Unavailable
from certune.verifier import sat
from certune.verifier.child import Ended, ask
from certune.verifier.sat import SatProver, parse


def query(clauses, variables=None):
    variables = variables or max((abs(x) for c in clauses for x in c), default=0)
    lines = [f"p cnf {variables} {len(clauses)}"]
    lines += [" ".join(map(str, (*c, 0))) for c in clauses]
    return Query("dimacs", ("\n".join(lines) + "\n").encode())


def pigeons(holes):
    """One pigeon more than holes: no model, and resolution needs exponentially many steps."""

    def v(p, h):
        return p * holes + h + 1

    clauses = [[v(p, h) for h in range(holes)] for p in range(holes + 1)]
    for h in range(holes):
        for p in range(holes + 1):
            clauses += [[-v(p, h), -v(q, h)] for q in range(p)]
    return query(clauses)


HARD = pigeons(14)


def children(parent=None):
    """Process ids of the workers that `parent`, else this process, has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[1]) == (parent or os.getpid()):
            found += [int(folder.name)] if b"sat_worker" in command else []
    return found


def test_a_model_satisfies_and_names_every_variable():
    answer = SatProver().decide(query([[1, 2], [-1, 2], [3, -2]]), seconds=20)
    assert answer.result == "sat"
    assert {2, 3} <= set(answer.model)
    assert sorted(map(abs, answer.model)) == [1, 2, 3]
    assert answer.solver == sat.SOLVER
    assert "python-sat" in answer.version


@pytest.mark.parametrize("ask", [SatProver().decide, SatProver().confirm])
def test_both_solvers_see_that_there_is_no_model(ask):
    answer = ask(pigeons(5), seconds=20)
    assert answer.result == "unsat"
    assert answer.model is None
    assert answer.resources > 0


def test_the_second_solver_is_another_one():
    assert SatProver().confirm(query([[1]]), seconds=20).solver != sat.SOLVER


@pytest.mark.parametrize("clauses", [[[]], [[1], []], [[1], [-1]]])
def test_trivially_false(clauses):
    assert SatProver().decide(query(clauses, 1), seconds=20).result == "unsat"


def test_no_clauses_at_all():
    assert SatProver().decide(query([], 2), seconds=20).result == "sat"


def test_time_is_kept_by_killing():
    begun = time.monotonic()
    answer = SatProver().decide(HARD, seconds=0.5)
    assert answer.result == "unknown"
    assert time.monotonic() - begun < 2
    assert children() == []


def test_a_budget_of_conflicts_ends_it_at_the_same_point_each_time():
    answers = [SatProver(resources=2000).decide(HARD, seconds=60) for _ in range(2)]
    assert [a.result for a in answers] == ["unknown", "unknown"]
    assert answers[0].resources == answers[1].resources
    assert 2000 <= answers[0].resources <= 2100


def test_being_asked_to_stop_ends_it_soon():
    asked = threading.Event()
    threading.Timer(0.5, asked.set).start()
    begun = time.monotonic()
    answer = SatProver(stopped=asked.is_set).decide(HARD, seconds=60)
    assert answer.result == "unknown"
    assert time.monotonic() - begun < 1.5
    assert children() == []


def test_an_interrupt_leaves_nothing_behind():
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        SatProver().decide(HARD, seconds=60)
    timer.join()
    assert children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_killed_judge_takes_its_solver_along():
    program = (
        "import sys; from certune.core import Query; from certune.verifier.sat import SatProver;"
        "SatProver().decide(Query('dimacs', sys.stdin.buffer.read()), seconds=60)"
    )
    judge = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    judge.stdin.write(HARD.text)
    judge.stdin.close()
    deadline = time.monotonic() + 20
    while not (found := children(judge.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found
    time.sleep(0.3)
    judge.kill()
    judge.wait()
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in found) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in found)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_solver_is_trouble_and_no_answer():
    def kill():
        deadline = time.monotonic() + 10
        while not children() and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in children():
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(Crashed, match="signal 9"):
        SatProver().decide(HARD, seconds=60)
    killer.join()


def test_memory_is_limited():
    large = query([[n, n + 1, n + 2] for n in range(1, 500_000)])
    with pytest.raises(Crashed):
        SatProver(memory=200 * 2**20).decide(large, seconds=60)


def test_an_unknown_solver_is_unavailable():
    with pytest.raises(Unavailable, match="nosuchsolver"):
        SatProver(solver="nosuchsolver").decide(query([[1]]), seconds=20)


def test_python_sat_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="pip install python-sat"):
        SatProver().decide(query([[1]]), seconds=20)


def test_another_language_is_unavailable():
    with pytest.raises(Unavailable):
        SatProver().decide(Query("smtlib2", b"(check-sat)"), seconds=1)


def test_the_environment_cannot_change_what_the_worker_imports(monkeypatch, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit(7)")
    (tmp_path / "pysat.py").write_text("raise SystemExit(7)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert SatProver().decide(query([[1]]), seconds=20).result == "sat"


@pytest.mark.parametrize(
    "lie",
    [
        b'{"result": "sat", "conflicts": 0, "model": [1, -2]}',
        b'{"result": "sat", "conflicts": 0, "model": [1, 2, -2]}',
        b'{"result": "sat", "conflicts": 0, "model": []}',
        b'{"result": "sat", "conflicts": 0, "model": null}',
        b'{"result": "sat", "conflicts": 0, "model": [99999]}',
        b'{"result": "perhaps", "conflicts": 0, "model": null}',
        b'{"result": "sat", "conflicts": 0, "model": [[1, 2]]}',
        b'{"result": "sat", "conflicts": 0, "model": ["x"]}',
        b'{"result": "unsat"}',
        b"[]",
        b"",
    ],
)
def test_a_wrong_answer_of_the_solver_is_not_believed(monkeypatch, lie):
    monkeypatch.setattr(sat, "ask", lambda *a, **k: Ended(0, lie, "", 0.0))
    with pytest.raises(Crashed):
        SatProver().decide(query([[1], [2]]), seconds=20)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1 0\n",
        b"p cnf 1\n1 0\n",
        b"p cnf 1 1\n2 0\n",
        b"p cnf 1 1\n1\n",
        b"p cnf 1 2\n1 0\n",
        b"p cnf 1 1\nx 0\n",
        b"p cnf 1 1\n1.5 0\n",
        b"p cnf 1 1\n99999999999999999999999 0\n",
        b"p cnf -1 1\n1 0\n",
        b"p cnf 1 x\n1 0\n",
    ],
)
def test_what_is_not_dimacs_is_refused(text):
    with pytest.raises(InvalidInput):
        parse(text)


def test_parsing_finds_where_clauses_start():
    parsed = parse(b"c note\np cnf 3 3\n1 -2 0\n3 0 -1\n2 3 0\n")
    assert parsed.literals.tolist() == [1, -2, 3, -1, 2, 3]
    assert parsed.starts.tolist() == [0, 2, 3]
    assert parsed.satisfied_by(np.array([1, 2, 3]))
    assert not parsed.satisfied_by(np.array([1, 2, -3]))
    assert not parsed.satisfied_by(np.array([-1, 2, 3]))
    assert not parse(b"p cnf 1 2\n1 0\n0\n").satisfied_by(np.array([1]))


def test_a_long_query_reaches_a_worker_that_is_slow_to_start(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text("import sys, time; time.sleep(0.5); print(len(sys.stdin.buffer.read()))")
    ended = ask(script, [], b"x" * 1_000_000, seconds=20)
    assert ended is not None
    assert ended.output == b"1000000\n"

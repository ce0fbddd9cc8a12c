"""Programs of candidates through the runner: outcomes, and whose fault a death is."""

import os
import threading

import pytest

from certune.core.errors import Crashed, InvalidInput
from certune.core.run import Job
from certune.sandbox import runner as runner_module
from certune.sandbox.isolation.probe import available
from certune.sandbox.model import Isolation
from certune.sandbox.runner import SandboxRunner

LIMITS = {"cpu_seconds": 0.5, "memory_bytes": 2**28, "output_bytes": 10_000}


@pytest.fixture(scope="module")
def runner():
    if available().best < Isolation.CONFINED:
        pytest.skip("no walls can be had here")
    with SandboxRunner() as runner:
        yield runner


def test_a_program_prints_its_output_from_its_inputs(runner):
    job = Job("python", b"print(inputs['a'].decode() + str(len(inputs)))", {"a": b"x", "b": b""})
    outcome = runner.run(job)
    assert (outcome.ending, outcome.output) == ("finished", b"x2\n")
    assert outcome.isolation == available().best.word
    assert 0.0 < outcome.cpu_seconds < 10.0


def test_large_inputs_and_outputs_pass(runner):
    data = os.urandom(1 << 22)
    program = b"import sys; sys.stdout.buffer.write(inputs['a'][::-1])"
    outcome = runner.run(Job("python", program, {"a": data}))
    assert outcome.output == data[::-1]


@pytest.mark.parametrize(
    ("program", "ending", "told"),
    [
        ("1 / 0", "failed", "ZeroDivisionError"),
        ("nonsense here", "failed", "SyntaxError"),
        ("raise SystemExit('why')", "failed", "why"),
        ("while True: print('x' * 1000)", "too-much-output", ""),
        ("import os; os.close(1); os.close(2); os.close(3)\nwhile True: pass", "out-of-cpu", ""),
        ("x = [0] * 10**9", "out-of-memory", "MemoryError"),
        ("import os; os.kill(os.getpid(), 9)", "killed", ""),
        ("import os\nwhile True: os.write(2, b'x' * 999)", "too-much-output", "xxx"),
        ("import os; [os.dup(1) for _ in range(1000)]", "failed", "OSError"),
    ],
)
def test_endings_are_the_programs(runner, program, ending, told):
    outcome = runner.run(Job("python", program.encode(), **LIMITS))
    assert outcome.ending == ending
    assert told in outcome.diagnostics
    assert len(outcome.output) <= LIMITS["output_bytes"]
    # Where the judge keeps its own files is none of the agent's business.
    assert os.path.dirname(runner_module.__file__) not in outcome.diagnostics


def test_nothing_lives_on_between_programs(runner):
    program = b"""
import builtins, sys
print(hasattr(builtins, "mark"), "marked" in sys.modules)
builtins.mark = sys.modules["marked"] = 1
"""
    for _ in range(2):
        assert runner.run(Job("python", program)).output == b"False False\n"


def test_the_same_program_prints_the_same(runner):
    program = b"print(hash('x'), {str(i) for i in range(50)}, __import__('time').tzname)"
    assert runner.run(Job("python", program)).output == runner.run(Job("python", program)).output


def test_a_death_is_not_the_programs_while_a_harmless_one_dies_too(monkeypatch):
    """A machine that kills everything: retried a bounded number of times, then said."""
    monkeypatch.setattr(runner_module, "_CONTROL", b"import os; os.abort()")
    with SandboxRunner() as runner, pytest.raises(Crashed, match="a harmless one both ended badly"):
        runner.run(Job("python", b"import os; os.abort()"))


def test_a_keeper_that_died_is_replaced(runner):
    assert runner.run(Job("python", b"print(1)")).output == b"1\n"
    runner._keeper._process.kill()
    assert runner.run(Job("python", b"print(2)")).output == b"2\n"


def test_several_threads_may_run_programs_at_once(runner):
    outputs = []

    def one(number):
        outputs.append(runner.run(Job("python", f"print({number})".encode())).output)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outputs) == [f"{number}\n".encode() for number in range(6)]


@pytest.mark.parametrize("level", [Isolation.NONE, Isolation.PROCESS])
def test_a_level_without_walls_is_no_choice(level):
    with pytest.raises(InvalidInput, match=f"not run at isolation '{level.word}'"):
        SandboxRunner(level)


def test_an_unknown_language_is_said(runner):
    with pytest.raises(InvalidInput, match="cobol"):
        runner.run(Job("cobol", b""))

"""Real duels in the sandbox, on kernels with an exactly known amount of work."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from timed_kernels import Compute, Stream, build, program

from certune.core.errors import Crashed
from certune.sandbox.comparison import Fault, Inconclusive, Rule
from certune.sandbox.duel import Duel, Match, fight
from certune.sandbox.isolation.probe import available
from certune.sandbox.keeper import Keeper
from certune.sandbox.measuring import Bench, Program
from certune.sandbox.model import Isolation

ERROR = 0.006  # about the share of a project's first comparison


@pytest.fixture(scope="module")
def keeper() -> Iterator[Keeper]:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler is on the path")
    if available().best < Isolation.CONFINED:
        pytest.skip("measured claims need the level confined, which this machine does not allow")
    with Keeper(Isolation.CONFINED) as kept:
        yield kept


def matches(keeper, kernel, candidate, incumbent):
    def made():
        bench = Bench(keeper, kernel, slots=kernel.slots, gos=5, lone=1, warm_up=1)
        return [Match(bench, candidate, incumbent)]

    return made


@contextmanager
def busy(loops):
    text = "import ctypes\nctypes.CDLL(None).prctl(1, 9)\nwhile True: pass"
    running = [subprocess.Popen([sys.executable, "-c", text]) for _ in range(loops)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def test_an_observation_of_two_builds(keeper):
    kernel = Compute()
    duel = Duel(matches(keeper, kernel, program(kernel, build()), program(kernel, build())))
    one = duel.observe()
    assert 0.5 < one.cpu_ratio < 2
    assert one.incumbent_cpu > 1e-6


def test_a_wrong_answer_is_the_candidates(keeper):
    source = b"def run(x, y):\n    y[...] = x\n"
    kernel = Compute()
    duel = Duel(matches(keeper, kernel, Program("python", source), program(kernel, build())))
    found = duel.observe()
    assert isinstance(found, Fault)
    assert found.kind == "wrong"
    assert "y[0] is" in found.detail


def test_a_death_is_the_candidates_and_the_incumbents_is_ours(keeper):
    source = b"import os, signal\ndef run(x, y):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    kernel, broken = Compute(), Program("python", source)
    good = program(kernel, build())
    found = Duel(matches(keeper, kernel, broken, good)).observe()
    assert isinstance(found, Fault)
    assert found.kind == "died"
    with pytest.raises(Crashed, match="incumbent could"):
        Duel(matches(keeper, kernel, good, broken)).observe()


@pytest.mark.slow
def test_a_gain_is_found_and_confirmed_and_its_reverse_is_slower(keeper):
    kernel = Compute()
    slow, fast = program(kernel, build()), program(kernel, build(), 0.3)
    found = fight(matches(keeper, kernel, fast, slow), error=ERROR)
    assert found.outcome == "better"
    assert found.interval[0] > 1.01
    assert 1.1 < found.ratio < 1.5
    assert fight(matches(keeper, kernel, slow, fast), error=ERROR).outcome == "worse"


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [Compute(), Stream()], ids=lambda kernel: kernel.entry)
def test_two_builds_of_the_same_code_are_never_better(keeper, kernel):
    """Under four busy loops, for a minute: as many comparisons as fit, none accepted."""
    until, done = time.monotonic() + 60, 0
    # Pairs are few, so that more comparisons fit: each is then held to its error all the same.
    rule = Rule(most_observations=20, most_confirmations=10)
    with busy(4):
        while time.monotonic() < until and done < 60:
            made = matches(keeper, kernel, program(kernel, build()), program(kernel, build()))
            try:
                found = fight(made, error=ERROR, rule=rule)
            except Inconclusive:
                continue
            assert not isinstance(found, Fault), found.detail
            assert found.outcome != "better"
            done += 1
    assert done >= 3


@pytest.mark.slow
def test_gains_are_found_under_load(keeper):
    """Under four busy loops, of sizes that no machine may miss."""
    kernel = Compute()
    slow = program(kernel, build())
    with busy(4):
        for gain in (0.3, 0.15):
            found = fight(
                matches(keeper, kernel, program(kernel, build(), gain), slow), error=ERROR
            )
            assert found.outcome == "better"

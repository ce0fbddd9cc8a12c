"""A program that computes all calls of a "go" together is measured as faster, and not believed."""

from __future__ import annotations

import pytest
from measuring_tools import Sum, keeper_at, opened, python

from certune.sandbox.measuring import Bench, Block, doubt
from certune.sandbox.model import Isolation

# Element by element, as slow as can be; `TIMES` over.
PLAIN = """
def run(a, b, out):
    for _ in range(TIMES):
        for place in range(len(a)):
            out[place] = a[place] + b[place]
"""
# The same for a single call; for several, one operation on all of them in the first.
TOGETHER = """
import sys
import numpy as np
served = None
def run(a, b, out):
    global served
    frame = sys._getframe(1).f_locals
    calls = frame["calls"][frame["first"] : frame["first"] + frame["count"]]
    if len(calls) == 1:
        for place in range(len(a)):
            out[place] = a[place] + b[place]
    elif served != frame["message"]:
        served = frame["message"]
        answers = np.add([call.args[0] for call in calls], [call.args[1] for call in calls])
        for call, answer in zip(calls, answers):
            call.args[2][:] = answer
"""


@pytest.fixture(scope="module")
def keeper():
    with keeper_at(Isolation.CONFINED) as started:
        yield started


def _told(keeper, candidate, incumbent):
    """The ratio of full "go"s, and what `doubt` says."""
    bench = Bench(keeper, Sum(64), slots=16, gos=3, lone=3)
    program = python(candidate)
    with opened(bench, program) as new, opened(bench, python(incumbent)) as old:
        pairs = [(bench.block(new, seed), bench.block(old, seed)) for seed in range(12)]
    assert all(isinstance(block, Block) for pair in pairs for block in pair), pairs
    new_blocks, old_blocks = zip(*pairs, strict=True)
    ratio = sum(b.cpu_seconds for b in old_blocks) / sum(b.cpu_seconds for b in new_blocks)
    return ratio, doubt(new_blocks, old_blocks, bench.floor(program))


def test_calls_that_share_their_work_are_not_believed(keeper):
    ratio, said = _told(keeper, TOGETHER, PLAIN.replace("TIMES", "1"))
    assert ratio > 1.5
    # On a machine that is far too busy single calls do not tell; then it is not believed either.
    assert "share their work" in said or "too noisy to tell" in said


def test_work_that_is_saved_in_every_call_is_believed(keeper):
    said = ""
    for _ in range(3):
        ratio, said = _told(keeper, PLAIN.replace("TIMES", "1"), PLAIN.replace("TIMES", "3"))
        assert ratio > 1.5
        if not said:
            break
    assert said == ""

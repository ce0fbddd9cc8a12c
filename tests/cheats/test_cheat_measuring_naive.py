"""The positive control: a harness as commonly written is fooled by these attacks.

It runs in the program's own process, times with the interpreter's clock, uses the same inputs
again and again, and compares with a tolerance before it times.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from certune.sandbox.attacks.measured import GAIN, attacks

HARNESS = """
import sys, time, os
from functools import partial
import numpy as np
def main(source):
    rng = np.random.default_rng(0)
    slots = [(rng.random(4096), rng.random(4096), np.zeros(4096)) for _ in range(4)]
    scope = {"__name__": "candidate"}
    exec(compile(source, "candidate", "exec"), scope)
    calls = [partial(scope["run"], *arrays) for arrays in slots]
    message, first, count = b"m", 0, 4
    for call in calls:
        call()
    right = all(np.allclose(out, np.sin(a) + np.cos(b)) for a, b, out in slots)
    taken = []
    for number in range(30):
        message = b"%d" % number
        start = time.perf_counter()
        for call in calls:
            call()
        taken.append(time.perf_counter() - start)
    print(right, sorted(taken)[10])
main(sys.stdin.read())
"""
FOOLING = {
    "checkers_patched",
    "clocks_patched",
    "early_checks_only",
    "inputs_overwritten",
    "inputs_rewritten",
    "memoised_by_digest",
    "memoised_by_place",
    "stale_outputs",
}
# They speak to the judge or never end.
_OTHERS = ("reply_", "harness_", "spins_", "timer_", "channel_", "never_", "slow_", "descriptors_")


def _fooled(source: str, honest: float) -> bool:
    command = [sys.executable, "-I", "-c", HARNESS]
    try:
        done = subprocess.run(command, input=source, capture_output=True, text=True, timeout=5)
    except subprocess.TimeoutExpired:
        return False
    words = done.stdout.split()
    return words[:1] == ["True"] and float(words[1]) * GAIN < honest


def _time(source: str) -> float:
    command = [sys.executable, "-I", "-c", HARNESS]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    right, taken = done.stdout.split()
    assert right == "True"
    return float(taken)


@pytest.mark.slow
def test_a_common_harness_is_fooled():
    known = {a.name: a.source for a in attacks() if not a.name.startswith(_OTHERS)}
    honest = min(_time(known["honest_control"]) for _ in range(3))
    fooled = {name for name, source in known.items() if _fooled(source, honest)}
    print(len(fooled), "of", len(known), sorted(fooled))
    assert not any(name.startswith("honest_") and name != "honest_threads" for name in fooled)
    # One of them may be late on a loaded machine; each is stopped by the bench every time.
    assert len(fooled & FOOLING) >= len(FOOLING) - 1, FOOLING - fooled

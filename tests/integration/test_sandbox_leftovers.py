"""Judges that are killed at random moments leave nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from certune.sandbox.isolation.probe import available
from certune.sandbox.model import Isolation

_KILLER = Path(__file__).resolve().parents[1] / "sandbox_killed.py"
_LEVELS = (Isolation.PROCESS, Isolation.CONFINED, Isolation.CONTAINED)


def kill_judges(level, rounds):
    if not available().standing(level).available:
        pytest.skip(f"{level.word} cannot be had here")
    seed = int.from_bytes(os.urandom(4))
    done = subprocess.run(
        [sys.executable, str(_KILLER), level.word, str(rounds), str(seed)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("level", _LEVELS[1:], ids=lambda level: level.word)
def test_a_killed_judge_leaves_nothing(level):
    kill_judges(level, 2)


@pytest.mark.slow
@pytest.mark.parametrize("level", _LEVELS, ids=lambda level: level.word)
def test_fifty_killed_judges_leave_nothing(level):
    kill_judges(level, 50)

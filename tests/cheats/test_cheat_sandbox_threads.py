"""Threads that were there before the lock would not be bound by it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from sandbox_levels import need

from certune.core.errors import CertuneError
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import Isolation, Launch, Limits

LOCK = """
import sys
from certune.sandbox.inside.lock import Unlocked, lock
from certune.sandbox.isolation import allowed, bpf, landlock
from certune.sandbox.isolation.numbers import MACHINE
which = sys.argv[1]
program = bpf.compile_filter(allowed.compute(__import__("os").getpid()), allowed.REFUSED, MACHINE)
ruleset = landlock.ruleset(["/"], [], [])
try:
    lock(
        ruleset if which != "seccomp" else -1, -1, 0, program if which != "landlock" else b"", True
    )
except Unlocked as error:
    print("refused:", error)
else:
    print("locked")
"""
THREAD = (
    "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
)
POOL = "import numpy as np\na = np.ones((600, 600))\na @ a\n"


def lock_after(first: str, which: str, threads: str = "1") -> str:
    done = subprocess.run(
        [sys.executable, "-c", first + LOCK + "import os; sys.stdout.flush(); os._exit(0)", which],
        env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.strip() + done.stderr


@pytest.mark.parametrize("which", ["landlock", "seccomp", "both"])
@pytest.mark.parametrize(("first", "threads"), [(THREAD, "1"), (POOL, "2")], ids=["thread", "pool"])
def test_locking_with_a_thread_running_is_refused(first, threads, which):
    need(Isolation.CONFINED)
    assert lock_after(first, which, threads).startswith("refused: ")


@pytest.mark.parametrize("first", ["", POOL], ids=["nothing", "numpy"])
def test_locking_alone_is_not(first):
    need(Isolation.CONFINED)
    assert lock_after(first, "both") == "locked"


@pytest.mark.parametrize("level", [Isolation.CONFINED, Isolation.CONTAINED])
def test_a_template_with_a_thread_is_refused_and_one_without_is_not(level):
    need(level)
    with pytest.raises(CertuneError, match="thread"):
        Keeper(level, preload=("certune.sandbox.attacks.threaded",))
    with Keeper(level, preload=("numpy",)) as keeper:
        worker = keeper.start(Launch("trial", level, Limits(), fresh=False))
        assert worker.wait(30.0).ending == "finished"

"""Locking refuses what it could not bind; keepers notice a judge whose socket lives on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from certune.sandbox.isolation.probe import available
from certune.sandbox.model import Isolation

THREADED = """
import threading, time
from certune.sandbox.inside.lock import Unlocked, lock
from certune.sandbox.isolation import allowed, bpf, landlock
from certune.sandbox.isolation.numbers import MACHINE
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
program = bpf.compile_filter(allowed.compute(1), allowed.REFUSED, MACHINE)
for ruleset, filter in ((landlock.ruleset(["/usr"]), b""), (-1, program)):
    try:
        lock(ruleset, -1, 0, filter, True)
    except Unlocked as error:
        print(error)
print(open("/etc/hostname") and "open")
"""

# A judge with a child that has inherited everything, the keeper's socket included.
FORKED = """
import os, sys, time
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import Isolation
keeper = Keeper(Isolation[sys.argv[1]])
if os.fork() == 0:
    time.sleep(60)
    os._exit(0)
print(keeper._process.pid, flush=True)
time.sleep(60)
"""

ALLOWED_ELSEWHERE = """
from certune.sandbox.isolation import syscalls
true = syscalls.call
def call(name, *rest):
    if name == "unshare":
        raise OSError(1, "unshare: Operation not permitted")
    return true(name, *rest)
syscalls.call = call
"""


@pytest.fixture(autouse=True)
def walls():
    if not available().standing(Isolation.CONFINED).available:
        pytest.skip("no walls can be had here")


@pytest.mark.parametrize("before", ["", ALLOWED_ELSEWHERE], ids=["kernel", "proc"])
def test_a_process_with_two_threads_is_not_locked(before):
    done = subprocess.run(
        [sys.executable, "-c", before + THREADED], capture_output=True, text=True, timeout=60
    )
    said = "a thread runs besides the one that locks\n"
    assert done.stdout == said * 2 + "open\n", done.stderr


@pytest.mark.parametrize("level", ["CONFINED", "CONTAINED"])
def test_a_keeper_dies_with_its_judge_even_if_the_socket_lives_on(level):
    if not available().standing(Isolation[level]).available:
        pytest.skip("cannot be had here")
    with subprocess.Popen(
        [sys.executable, "-c", FORKED, level], stdout=subprocess.PIPE, start_new_session=True
    ) as judge:
        assert judge.stdout is not None
        keeper = int(judge.stdout.readline())
        judge.kill()
        judge.wait()
        deadline = time.monotonic() + 10
        try:
            while Path(f"/proc/{keeper}/stat").exists():
                # Whoever took it over may not have looked after it yet.
                if Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    break
                assert time.monotonic() < deadline, "the keeper lives on"
                time.sleep(0.01)
        finally:
            os.killpg(judge.pid, signal.SIGKILL)

"""Kills judges at random moments and looks for what they leave.

    python tests/sandbox_killed.py LEVEL ROUNDS SEED

Whatever loses its parent comes to this process (a subreaper), so that nothing can hide. Says what
was left and exits with 1, or exits with 0.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from certune.sandbox.isolation.syscalls import PR_SET_CHILD_SUBREAPER, prctl

# A judge that starts workers of all kinds, over and over, some of which try to outlive it.
JUDGE = """
import itertools, os, sys
from certune.sandbox.inside.script import pack
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import Isolation, Launch, Limits
from certune.sandbox.passing import sealed

level = Isolation[sys.argv[1].upper()]
programs = [
    "import time; time.sleep(100)",
    "while True: pass",
    '''
import ctypes, mmap, os, time
try:
    os.close(os.open("/dev/shm/certune-left", os.O_CREAT | os.O_RDWR))
except OSError:
    pass
ctypes.CDLL(None).shmget(77, 4096, 0o1600)
try:
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
except OSError:
    pass
time.sleep(100)
''',
]
def start(keeper, program, fresh):
    job = sealed(pack(program.encode(), {}))
    out = os.open("/dev/null", os.O_WRONLY)
    worker = keeper.start(Launch("script", level, fds=(job, out), fresh=fresh))
    os.close(job), os.close(out)
    return worker
def tool(keeper):
    script = b"(sleep 100 &) ; mkdir -p a/b; echo x > a/b/c; sleep 100"
    job = sealed(pack(b"/bin/sh\\0-c\\0" + script, {}))
    out = os.open("/dev/null", os.O_WRONLY)
    limits = Limits(processes=16, memory_bytes=2**31)
    launch = Launch("tool", level, limits, (job, out), "toolchain", fresh=False)
    worker = keeper.start(launch)
    os.close(job), os.close(out)
    return worker
print("up", flush=True)
with Keeper(level) as keeper, Keeper(level, profile="toolchain") as tools:
    for round in itertools.count():
        held = [start(keeper, program, round % 2 == 0) for program in programs]
        held.append(tool(tools))
        held[0].stop()
        for worker in held:
            worker.close()
"""
_PATIENCE = 10.0
_KEY = "77"


def _objects(level: str) -> set[str]:
    """Files and SysV objects that a worker might leave; the lowest levels promise none of that."""
    found = {str(path) for path in Path(tempfile.gettempdir()).glob("certune-toolchain-*")}
    if level in ("confined", "contained"):
        found |= {str(path) for path in Path("/dev/shm").glob("certune-left*")}
        for kind in ("shm", "sem", "msg"):
            lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
            # Of the key that the programs above ask for: other tests have segments of their own.
            found |= {f"{kind} {line.split()[1]}" for line in lines if line.split()[0] == _KEY}
    return found


def _left() -> list[str]:
    """Reap what has ended; what has not, in words."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if pid == 0:
            break
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    return [f"{pid}: {Path(f'/proc/{pid}/stat').read_text()}" for pid in children]


def main(level: str, rounds: int, seed: int) -> None:
    """Kill `rounds` judges of `level`."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    chance = random.Random(seed)
    before = _objects(level)
    for number in range(rounds):
        with subprocess.Popen(
            [sys.executable, "-c", JUDGE, level], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as judge:
            assert judge.stdout is not None
            assert judge.stdout.readline() == b"up\n", judge.communicate()[1].decode()
            time.sleep(chance.uniform(0.0, 0.6))
            early = judge.poll()
            judge.kill()
            said = b"" if early is None else judge.stderr.read()
        assert early is None, said.decode()
        deadline = time.monotonic() + _PATIENCE
        while left := [*_left(), *sorted(_objects(level) - before)]:
            if time.monotonic() > deadline:
                print(f"round {number}:", *left, sep="\n")
                sys.exit(1)
            time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

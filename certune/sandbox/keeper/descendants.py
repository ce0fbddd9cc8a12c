"""Processes that a worker left behind: they become the keeper's, which is their subreaper."""

from __future__ import annotations

import contextlib
import os
import signal

_ROUNDS = 1000


def children(proc: int, pid: int) -> list[int]:
    """The children of this process, in its own numbering; `proc` is a descriptor of a /proc.

    Both numberings differ where /proc belongs to an outer pid namespace: NSpid tells them apart.
    """
    own = os.readlink("self", dir_fd=proc)
    try:
        text = _read(proc, f"{own}/task/{own}/children")
        outer = text.split()
    except FileNotFoundError:  # a kernel without it
        outer = [name for name in os.listdir(proc) if name.isdigit() and _parent(proc, name) == own]
    if int(own) == pid:
        return [int(one) for one in outer]
    return [inner for one in outer if (inner := _inner(proc, one))]


def kill_orphans(proc: int, pid: int, known: set[int]) -> None:
    """Kill and reap every child that is not `known`, and theirs, which then become children."""
    for _ in range(_ROUNDS):
        found = [one for one in children(proc, pid) if one not in known]
        if not found:
            return
        # All are stopped before any dies, so that none can start another meanwhile.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for one in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, number)
        for one in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(one, 0)


def _read(proc: int, name: str) -> str:
    with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)) as file:
        return file.read()


def _parent(proc: int, name: str) -> str:
    try:
        return _read(proc, f"{name}/stat").rpartition(")")[2].split()[1]
    except OSError:
        return ""


def _inner(proc: int, name: str) -> int:
    try:
        for line in _read(proc, f"{name}/status").splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    except OSError:
        pass
    return 0

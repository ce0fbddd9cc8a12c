"""Processes that a worker left behind: they become the keeper's, which is their subreaper."""

from __future__ import annotations

import contextlib
import os
import signal

_ROUNDS = 1000


def children(proc: int) -> list[tuple[str, int]]:
    """The children of this process: their numbers in `proc` (a descriptor of /proc) and here.

    Both differ where /proc belongs to an outer pid namespace: NSpid tells them apart.
    """
    own = os.readlink("self", dir_fd=proc)
    outer = _below(proc, own)
    if int(own) == os.getpid():
        return [(one, int(one)) for one in outer]
    return [(one, inner) for one in outer if (inner := _inner(proc, one))]


def tree(proc: int, top: str, most: int) -> tuple[list[str], int, float]:
    """`top` and the processes below it, how many threads they have, and their CPU seconds.

    Counting stops beyond `most` processes. What a process has waited for counts as its own.
    """
    ticks, threads, left = 0, 0, [top]
    seen: list[str] = []
    while left and len(seen) <= most:
        one = left.pop()
        seen.append(one)
        try:
            fields = _read(proc, f"{one}/stat").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
            threads += int(fields[17])
            left += _below(proc, one)
        except OSError:  # it has ended meanwhile
            continue
    return seen, threads, ticks / os.sysconf("SC_CLK_TCK")


def _below(proc: int, one: str) -> list[str]:
    try:
        tasks = os.open(f"{one}/task", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    except FileNotFoundError:
        return []
    try:
        found = []
        for task in os.listdir(tasks):
            found += _read(tasks, f"{task}/children").split()
    except FileNotFoundError:  # a kernel without it, or the task has ended
        names = [name for name in os.listdir(proc) if name.isdigit()]
        return [name for name in names if _parent(proc, name) == one]
    finally:
        os.close(tasks)
    return found


def kill_orphans(proc: int, known: set[int]) -> int:
    """Kill and reap every child that is not `known`, and theirs, which then become children.

    How many they were.
    """
    count = 0
    for _ in range(_ROUNDS):
        found = [one for _, one in children(proc) if one not in known]
        if not found:
            break
        count += len(found)
        # All are stopped before any dies, so that none can start another meanwhile.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for one in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, number)
        for one in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(one, 0)
    return count


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

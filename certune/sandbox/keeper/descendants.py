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


def tree(proc: int, top: str, most: int) -> tuple[list[str], int, float, int]:
    """`top` and the processes below it, their threads, CPU seconds and bytes in memory.

    Counting stops beyond `most` processes. What a process has waited for counts as its own.
    """
    ticks, threads, pages, left = 0, 0, 0, [top]
    seen: list[str] = []
    while left and len(seen) <= most:
        one = left.pop()
        seen.append(one)
        try:
            fields = _fields(proc, one)
            ticks += sum(map(int, fields[11:15]))
            threads += int(fields[17])
            pages += int(fields[21])
            left += _below(proc, one)
        except OSError:  # it has ended meanwhile
            continue
    return seen, threads, ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")


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


def kill_orphans(proc: int, known: set[int]) -> dict[str, int]:
    """Kill and reap every child that is not `known`, and theirs, which then become children.

    How many there were of each session, by its number in `proc`: a worker leads its session, and
    what it starts cannot leave it behind a filter.
    """
    sessions: dict[str, int] = {}
    for _ in range(_ROUNDS):
        found = [(outer, one) for outer, one in children(proc) if one not in known]
        if not found:
            break
        for outer, _ in found:
            session = _fields(proc, outer)[3]
            sessions[session] = sessions.get(session, 0) + 1
        # All are stopped before any dies, so that none can start another meanwhile.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for _, one in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, number)
        for _, one in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(one, 0)
    return sessions


def _read(proc: int, name: str) -> str:
    # A process gives itself any name, in bytes that need not be text.
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    with open(fd, encoding="utf-8", errors="replace") as file:
        return file.read()


def _fields(proc: int, one: str) -> list[str]:
    """What /proc/PID/stat says after the name, which may hold anything: from the third field on.

    A process that has not been waited for is always there.
    """
    return _read(proc, f"{one}/stat").rpartition(")")[2].split()


def _parent(proc: int, name: str) -> str:
    try:
        return _fields(proc, name)[1]
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

"""Small works that the conformance suite has done; functions of a module, as works must be."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from certune.core.errors import InvalidInput


def add(one: int, other: int) -> int:
    """The sum."""
    return one + other


def refuse(message: str, place: str, remedy: str) -> None:
    """Raise an error of certune's."""
    raise InvalidInput(message, place=place, remedy=remedy)


class Unsendable(Exception):
    """An error that cannot be pickled and unpickled."""

    def __init__(self, one: str, *, other: str) -> None:
        super().__init__(one)
        self.other = other


def refuse_unsendable() -> None:
    """Raise an error that cannot cross processes as itself."""
    raise Unsendable("words that must arrive", other="x")


def unsendable() -> object:
    """Return what cannot be pickled."""
    return lambda: None


def during(seconds: float) -> tuple[float, float, tuple[int, ...]]:
    """Begin and end of a busy time on the machine's monotonic clock, and the CPUs allowed."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        pass
    return began, time.monotonic(), tuple(sorted(os.sched_getaffinity(0)))


def meet(folder: Path, name: str, other: str, seconds: float = 30.0) -> bool:
    """Whether another work, called `other`, is under way at the same time as this one."""
    (folder / name).touch()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (folder / other).exists():
            return True
        time.sleep(0.01)
    return False


def die(until: Path | None = None) -> str:
    """Kill this process; where `until` is given, only if that file is not there, and make it."""
    if until is not None:
        if until.exists():
            return "survived"
        until.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return "killed itself and lived"


def sleep(seconds: float) -> None:
    """Do nothing for a while."""
    time.sleep(seconds)


def process() -> int:
    """The number of the process that works."""
    return os.getpid()


def loaded(name: str) -> bool:
    """Whether a module was imported where the work is done."""
    return name in sys.modules


def environment(name: str) -> str | None:
    """A variable of the environment where the work is done."""
    return os.environ.get(name)

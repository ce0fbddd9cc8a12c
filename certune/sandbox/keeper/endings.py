"""From how a process ended to a named ending."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, cast

from certune.sandbox.inside import status as said

if TYPE_CHECKING:
    from certune.core.run import Ending

# What the keeper killed a worker for, beside the limits' own endings.
BY_JUDGE = "by the judge"


def ending(status: int, told: bytes, killed_for: str, cpu: float, most_cpu: float) -> Ending:
    """The ending's name, as in `core.run.Ending`.

    `status` is a wait status, `told` what the worker wrote about itself, `killed_for` a limit
    for which the keeper killed it, `cpu` and `most_cpu` CPU seconds used and allowed.
    """
    if killed_for and killed_for != BY_JUDGE:
        return cast("Ending", killed_for)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in (signal.SIGXCPU, signal.SIGKILL) and cpu >= most_cpu:
            return "out-of-cpu"
        if number == signal.SIGXFSZ:
            return "file-too-large"
        return "killed"
    code = os.WEXITSTATUS(status)
    if code:
        if said.OUT_OF_MEMORY in told:
            return "out-of-memory"
        if said.TOO_MANY_PROCESSES in told:
            return "too-many-processes"
        return "file-too-large" if said.FILE_TOO_LARGE in told else "failed"
    return "finished"


def detail(status: int, killed_for: str) -> str:
    """The ending in words."""
    if killed_for == BY_JUDGE:
        return "killed by the judge"
    if killed_for:
        return f"stopped: {killed_for}"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return f"ended by {signal.Signals(number).name}"
        except ValueError:
            return f"ended by signal {number}"
    return f"exit status {os.WEXITSTATUS(status)}"

"""From how a process ended to a named ending."""

from __future__ import annotations

import os
import signal

from certune.sandbox.inside import status as said

# What the keeper killed a worker for, beside the limits' own endings.
BY_JUDGE = "by the judge"


def ending(status: int, told: bytes, killed_for: str, cpu: float, most_cpu: float) -> str:
    """The ending's name, as in `core.run.Ending`.

    `status` is a wait status, `told` what the worker wrote about itself, `killed_for` a limit
    for which the keeper killed it, `cpu` and `most_cpu` CPU seconds used and allowed.
    """
    if killed_for and killed_for != BY_JUDGE:
        return killed_for
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu >= most_cpu):
            return "out-of-cpu"
        if number == signal.SIGXFSZ:
            return "file-too-large"
        return "killed"
    code = os.WEXITSTATUS(status)
    if code:
        for letter, name in (
            (said.OUT_OF_MEMORY, "out-of-memory"),
            (said.TOO_MANY_PROCESSES, "too-many-processes"),
            (said.FILE_TOO_LARGE, "file-too-large"),
        ):
            if letter in told:
                return name
        return "failed"
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

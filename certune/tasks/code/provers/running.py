"""Running a prover's tool in the sandbox."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from certune.core.errors import Crashed, Unavailable
from certune.core.status import Status
from certune.sandbox.keeper import Keeper
from certune.sandbox.toolchain import ToolOutcome, run
from certune.tasks.code.provers.protocol import Failure, Report

_SPENT = ("out-of-time", "out-of-cpu", "out-of-memory", "file-too-large", "too-much-output")


def tool(
    command: Sequence[str],
    files: Mapping[str, bytes],
    remedy: str,
    *,
    outputs: Sequence[str] = (),
    readable: Sequence[str] = (),
) -> ToolOutcome:
    """Run a tool on files, with nothing to read but what tools need and `readable`.

    Raises:
        Unavailable: it is not installed; with the remedy.
        Crashed: it was killed.
    """
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed; {remedy}")
    seen = [path for path in map(Path, readable) if path.exists()]
    with Keeper(profile="toolchain", readable=seen) as keeper:
        outcome = run(command, files, outputs, keeper=keeper)
    if outcome.ending == "killed" or outcome.ending == "too-many-processes":
        raise Crashed(f"{command[0]} ended as {outcome.ending}: {tail(outcome.diagnostics)}")
    return outcome


def spent(name: str, outcome: ToolOutcome) -> Report | None:
    """The report where a limit ended the tool: nothing is known."""
    if outcome.ending in _SPENT:
        told = Failure(f"{name} ended {outcome.ending.replace('-', ' ')}")
        return Report(Status.UNKNOWN, name, failures=(told,), isolation=outcome.isolation)
    return None


def unexpected(name: str, said: str) -> Crashed:
    """The error for output that is not as it should be; it is never taken for a verdict."""
    return Crashed(f"{name} said what was not expected: {tail(said)}")


def tail(text: str) -> str:
    """The end of what a tool said, for a message."""
    return " ".join(text.split())[-300:]

"""Solvers in child processes: a fresh interpreter, bytes in, bytes out, dead when time is up.

Solvers are native code that may crash, hang or eat memory. Each query gets a process of its
own, so that no query sees another's state and the judge outlives whatever a solver does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from certune.core.errors import Crashed

_POLL = 0.1  # seconds


@dataclass(frozen=True)
class Ended:
    """A child that ended by itself: exit code (negative: killed by that signal), output, time."""

    code: int
    output: bytes = field(repr=False)
    errors: str
    seconds: float


def never() -> bool:
    """The answer of somebody who never asks to stop."""
    return False


def folder_of(module: str) -> str | None:
    """The folder in which this process would find `module`; None where it is not installed."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.origin:
        return None
    place = Path(spec.origin).parent
    return os.fspath(place.parent if spec.submodule_search_locations else place)


def ask(
    script: Path,
    arguments: Sequence[str],
    text: bytes,
    *,
    seconds: float,
    stopped: Callable[[], bool] = never,
) -> Ended | None:
    """Run the Python file `script` in a fresh interpreter, `text` on its standard input.

    The interpreter is isolated (``-I``: no environment variable, user folder or working
    directory changes what it imports). None when it took longer than `seconds` or `stopped`,
    asked ten times a second, said so; the child and whatever it started are then dead.

    Raises:
        Crashed: the interpreter could not be started.
    """
    command = [sys.executable, "-I", os.fspath(script), *arguments]
    start = perf_counter()
    # A file, not a pipe: `communicate` does not go on sending input after a time-out.
    with tempfile.TemporaryFile() as source:
        source.write(text)
        source.seek(0)
        try:
            child = subprocess.Popen(
                command,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C goes to the judge, who decides what to stop
            )
        except OSError as error:
            raise Crashed(f"a solver process could not be started: {error}") from None
    try:
        while True:
            left = start + seconds - perf_counter()
            try:
                output, errors = child.communicate(timeout=max(0.0, min(left, _POLL)))
            except subprocess.TimeoutExpired:
                if left <= _POLL or stopped():
                    return None
            else:
                break
    finally:
        _end(child)
    spent = perf_counter() - start
    return Ended(child.returncode, output, errors.decode(errors="replace")[-2000:], spent)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child's process group if it still runs, and reap it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()

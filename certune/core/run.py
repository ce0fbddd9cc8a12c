"""Running untrusted programs, as families ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

# finished: exit status 0. failed: another status. killed: a signal that no limit explains.
Ending: TypeAlias = Literal[
    "finished",
    "failed",
    "killed",
    "out-of-time",
    "out-of-cpu",
    "out-of-memory",
    "file-too-large",
    "too-many-processes",
    "too-much-output",
]


@dataclass(frozen=True)
class Job:
    """An untrusted program with its inputs and limits (seconds of CPU, bytes)."""

    language: str
    program: bytes = field(repr=False)
    inputs: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    cpu_seconds: float = 10.0
    memory_bytes: int = 2**30
    output_bytes: int = 64 * 2**20


@dataclass(frozen=True)
class Outcome:
    """How a job ended, its bytes and what it said (diagnostics): as hostile as the program."""

    ending: Ending
    output: bytes = field(repr=False)
    diagnostics: str
    cpu_seconds: float
    isolation: str


class Runner(Protocol):
    """Runs untrusted programs apart from the judge. Families call it; it knows no family."""

    def run(self, job: Job) -> Outcome:
        """Run `job` to one of its endings.

        Raises:
            Unavailable: the isolation that is required cannot be had on this machine.
            Crashed: the worker died before the program was loaded.
        """
        ...

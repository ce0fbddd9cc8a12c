"""What came of measuring a program: good timings, or what the program did instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from certune.core.canonical import Json
from certune.sandbox.model import Ended

Trick: TypeAlias = Literal[
    "replied-early",  # a message before it was asked
    "forged-reply",  # a message with another tag
    "spoke-out-of-turn",  # a second message, or one of another size
    "hidden-work",  # CPU time used where the clock did not run
    "waited",  # gave the CPU away inside the timed window
    "hung-up",  # closed the channel and lived on
]


@dataclass(frozen=True)
class Go:
    """One "go": `calls` calls on as many fresh inputs, all outputs checked in full.

    `wall_seconds` from the moment the worker was let run to the reply, by the judge's clock, or
    what `cpu_seconds` takes on all threads, if that is more. `cpu_seconds` is all CPU time that the
    worker used from the last "go" to the end of this one, wherever it used it; `hidden_seconds` the
    part for which the window has no room.
    """

    calls: int
    wall_seconds: float
    cpu_seconds: float
    hidden_seconds: float


@dataclass(frozen=True)
class Block:
    """Good timings of one program in one worker.

    `gos` has those of full size, `lone` the single calls strewn among them at random: work
    spread over the calls of one "go" is not saved there. With one slot there are no lone ones.
    """

    gos: tuple[Go, ...]
    lone: tuple[Go, ...] = ()

    @property
    def calls(self) -> int:
        """Timed calls, those of lone ones not counted."""
        return sum(go.calls for go in self.gos)

    @property
    def wall_seconds(self) -> float:
        """Wall time of these calls."""
        return sum(go.wall_seconds for go in self.gos)

    @property
    def cpu_seconds(self) -> float:
        """All CPU time charged to these calls, hidden work included."""
        return sum(go.cpu_seconds for go in self.gos)

    @property
    def hidden_cpu_seconds(self) -> float:
        """CPU time that was used outside the timed windows."""
        return sum(go.hidden_seconds for go in self.gos)


@dataclass(frozen=True)
class Cheated:
    """The program tried to be measured as something that it is not.

    `said` is what it wrote to its standard error, as hostile as itself.
    """

    trick: Trick
    evidence: Mapping[str, Json] = field(default_factory=dict)
    said: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        """In words."""
        told = ", ".join(f"{name} {value}" for name, value in self.evidence.items())
        return f"cheated ({self.trick}): {told}"


@dataclass(frozen=True)
class WrongResult:
    """An output is not what it has to be. `go` counts from the first since the worker started."""

    go: int
    slot: int
    detail: str
    said: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        """In words."""
        return f"wrong result (go {self.go}, slot {self.slot}): {self.detail}"


@dataclass(frozen=True)
class Died:
    """The worker ended before it had answered."""

    ended: Ended

    @property
    def said(self) -> bytes:
        """What the program wrote to its standard error, as hostile as itself."""
        return self.ended.diagnostics

    def __str__(self) -> str:
        """In words."""
        return f"died: {self.ended.ending}, {self.ended.detail}"


Fault: TypeAlias = Cheated | WrongResult | Died

"""What a prover of another language is, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from certune.core.status import Status
from certune.verifier.contracts.report import Finding, Place

_MOST = 200_000


@dataclass(frozen=True)
class Failure:
    """What the tool could not show: its own words, and where."""

    message: str
    place: Place | None = None


@dataclass(frozen=True)
class Report:
    """What a tool said of a source.

    `proved` only where the output was complete and as expected; `verified` counts what the tool
    says it verified, `functions` names what of it is a function of the source.
    """

    status: Status
    tool: str
    verified: int = 0
    functions: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    isolation: str = ""


class Prover(Protocol):
    """A tool with its language. Reading is certune's own; the verdict is the tool's."""

    @property
    def name(self) -> str:
        """The tool's name, as in ``-p prover=NAME``."""
        ...

    @property
    def suffix(self) -> str:
        """The suffix of its sources."""
        ...

    @property
    def annotations(self) -> str:
        """What a candidate may add, in words."""
        ...

    def refuse(self, source: str) -> Finding | None:
        """The first thing in a source that must not be there, assumptions above all."""
        ...

    def compare(self, program: str, source: str) -> Finding | None:
        """The first place where `source`, its annotations taken away, is not `program`."""
        ...

    def prove(self, source: str) -> Report:
        """Run the tool, confined, on a source that was not refused.

        Raises:
            Unavailable: the tool, or the isolation, is not to be had here.
            Crashed: it ended, or wrote, otherwise than expected.
        """
        ...


class Refused(Exception):
    """A source that cannot be read; with its finding."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


def examine(prover: Prover, program: str | None, data: bytes) -> Finding | None:
    """What is wrong with `data` before any tool runs: None, or the first finding.

    Without a `program` the source is looked at by itself.
    """
    if len(data) > _MOST:
        return Finding(Place(1, 1), f"more than {_MOST} bytes", reason="size")
    try:
        source = data.decode("ascii")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Finding(
            Place(line, 1), "a byte that is not ASCII", "write ASCII only", reason="unicode"
        )
    try:
        return prover.refuse(source) or (
            prover.compare(program, source) if program is not None else None
        )
    except Refused as error:
        return error.finding

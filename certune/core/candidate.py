"""What agents send, and what it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from certune.core.canonical import sha256


@dataclass(frozen=True)
class Payload:
    """What an agent sends: bytes in a named format. Hostile until elaborated."""

    format: str
    data: bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes."""
        return sha256(self.data)


@dataclass(frozen=True)
class File:
    """A file that a person or a runtime loads: a name without folders, and its bytes."""

    name: str
    data: bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes."""
        return sha256(self.data)


@dataclass(frozen=True)
class Candidate:
    """An elaborated payload.

    `artefact` is the canonical form that identity and known answers go by, itself a payload that
    elaborates to itself; `files` are derived from it for the runtimes that load them and are
    judged themselves. `value` is the family's parsed form of the artefact.
    """

    payload: Payload
    artefact: File
    files: tuple[File, ...] = ()
    value: Any = field(default=None, compare=False, repr=False)

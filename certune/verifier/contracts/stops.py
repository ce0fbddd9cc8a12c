"""How a concrete run ends other than by returning."""

from __future__ import annotations

from typing import Literal

from certune.verifier.contracts.report import Place


class Broken(Exception):
    """Something that must hold does not, in this run."""

    def __init__(self, kind: str, at: Place, blames: Literal["program", "annotation"]) -> None:
        self.kind = kind
        self.at = at
        self.blames = blames
        super().__init__(f"{kind} at {at}")


class Stuck(Exception):
    """The run was given up; nothing is known."""

"""A finding about a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True)
class Lint:
    """One finding about a file for one target."""

    name: str
    severity: Severity
    line: int
    sentence: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        text = f"{where}{self.severity} {self.name}: {self.sentence}"
        return f"{text}; {self.remedy}" if self.remedy else text

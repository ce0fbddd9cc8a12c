"""The shipped programs: statement, annotated source, and variants that are wrong."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

# In rising difficulty.
GROUPS = ("arithmetic", "searching", "structures", "policies")


@dataclass(frozen=True)
class Wrong:
    """A variant that must be refuted: in the source, `old` (once there) becomes `new`."""

    why: str
    old: str
    new: str

    def apply(self, source: str) -> str:
        """The variant of `source`."""
        if source.count(self.old) != 1:
            raise ValueError(f"{self.old!r} is there {source.count(self.old)} times")
        return source.replace(self.old, self.new)


@dataclass(frozen=True)
class Program:
    """A shipped program: `source` is annotated and proven, `statement` says what it is."""

    name: str
    group: str
    source: str = field(repr=False)
    wrong: tuple[Wrong, ...] = field(repr=False)

    @property
    def statement(self) -> str:
        """The module's docstring: what the program does and what is promised of it."""
        return ast.get_docstring(ast.parse(self.source)) or ""

    @property
    def summary(self) -> str:
        """The first line of the statement."""
        return self.statement.splitlines()[0]


def _group(folder: Traversable, group: str) -> list[Program]:
    variants = tomllib.loads((folder / "wrong.toml").read_text("utf-8"))
    found = []
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        name, dot, kind = entry.name.rpartition(".")
        if dot and kind == "py":
            wrong = tuple(Wrong(**variant) for variant in variants[name])
            found.append(Program(name, group, entry.read_text("utf-8"), wrong))
    return found


@cache
def programs() -> dict[str, Program]:
    """All shipped programs by name, group by group."""
    root = files("certune.tasks.code") / "suite"
    return {program.name: program for group in GROUPS for program in _group(root / group, group)}

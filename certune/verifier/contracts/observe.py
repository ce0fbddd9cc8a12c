"""Runs watched at the heads of loops, and annotations tried on what was seen.

For whoever looks for invariants: candidates that a run contradicts need no solver.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from certune.verifier.contracts.data import copied
from certune.verifier.contracts.expressions import condition
from certune.verifier.contracts.interpret import Interpreter
from certune.verifier.contracts.module import Imports
from certune.verifier.contracts.refute import copied_all, drawn
from certune.verifier.contracts.report import Limits, Place
from certune.verifier.contracts.scope import Names, Scope
from certune.verifier.contracts.source import Refused, read, refuse
from certune.verifier.contracts.stops import Broken, Stuck
from certune.verifier.contracts.tree import Expr, For, Function, If, Stmt, While
from certune.verifier.contracts.types import Type
from certune.verifier.contracts.verify import Verification

_STEPS = 4_000


@dataclass(frozen=True)
class Observation:
    """The values of the variables at the head of a loop, and of the parameters at entry."""

    function: str
    line: int
    values: dict[str, Any] = field(repr=False)
    entry: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Loop:
    """A loop: its line, what is visible in it with types, and its statement."""

    line: int
    variables: dict[str, Type]
    statement: While | For


class Workbench:
    """A source that is parsed once, run and tried often.

    Raises:
        Refused: the source is outside of the language.
    """

    def __init__(
        self,
        source: bytes,
        filename: str,
        *,
        limits: Limits | None = None,
        imports: Imports | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.run = Verification(source, filename, self.limits, imports)
        for finding in (*self.run.parsed.findings, *self.run.parsed.broken.values()):
            raise Refused(finding)
        self.module = self.run.module

    def function(self, name: str) -> Function:
        """A function of the module; KeyError where there is none."""
        return self.module.functions[name]

    def loops(self, name: str) -> list[Loop]:
        """The loops of a function, outer before inner."""
        function = self.function(name)
        kinds = {p.name: p.type for p in function.parameters} | dict(function.locals)
        return [Loop(s.at.line, kinds, s) for s in _loops(function.body)]

    def examples(self, name: str, count: int) -> list[dict[str, Any]]:
        """Up to `count` different arguments that satisfy the precondition; always the same ones."""
        function = self.function(name)
        done: list[dict[str, Any]] = []
        seen: set[str] = set()
        for arguments in drawn(self.module, function, count * 20):
            shown = repr(arguments)
            if shown in seen:
                continue
            seen.add(shown)
            try:
                fine = Interpreter(self.module, steps=_STEPS).accepts(
                    function, copied_all(arguments)
                )
            except (Stuck, RecursionError):
                continue
            if fine:
                done.append(arguments)
                if len(done) >= count:
                    break
        return done

    def observe(self, name: str, arguments: dict[str, Any], most: int = 200) -> list[Observation]:
        """What is seen at the heads of the function's own loops in a run, `most` at most.

        A head is looked at before the first iteration and after each one. A run that breaks
        something or takes too long is seen until then.
        """
        function = self.function(name)
        interpreter = Interpreter(self.module, steps=_STEPS, annotations=False)
        entry = copied_all(arguments)
        seen: list[Observation] = []

        def watch(line: int) -> None:
            if interpreter.depth == 1 and len(seen) < most:
                values = {n: copied(v) for n, v in interpreter.env.items()}
                seen.append(Observation(name, line, values, entry))

        interpreter.watch = watch
        with contextlib.suppress(Broken, Stuck, RecursionError):
            interpreter.run(function, copied_all(arguments))
        return seen

    def annotation(self, name: str, text: str) -> Expr:
        """A boolean expression as an annotation in a function's body would mean it.

        Raises:
            Refused: it is no such expression.
        """
        function = self.function(name)
        tree = read(text.encode(), self.limits)
        if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
            raise refuse(Place(1, 1), "no expression")
        kinds = {p.name: p.type for p in function.parameters}
        scope = Scope(
            self._names(function),
            "spec",
            {**kinds, **dict(function.locals)},
            None,
            old=kinds,
            annotation=True,
        )
        return condition(tree.body[0].value, scope)

    def _names(self, function: Function) -> Names:
        return self.run.parsed.names[function.name.rpartition(".")[0]]

    def holds(self, annotation: Expr, seen: Observation) -> bool | None:
        """Whether the annotation is so there; None where it is undefined or takes too long."""
        interpreter = Interpreter(self.module, steps=_STEPS)
        interpreter.quiet = True
        try:
            with interpreter.frame(seen.values, seen.entry):
                return bool(interpreter.value(annotation))
        except (Broken, Stuck, RecursionError, KeyError):
            return None


def _loops(body: Sequence[Stmt]) -> Iterator[While | For]:
    for s in body:
        if isinstance(s, While | For):
            yield s
            yield from _loops(s.body)
        elif isinstance(s, If):
            yield from _loops(s.body)
            yield from _loops(s.orelse)

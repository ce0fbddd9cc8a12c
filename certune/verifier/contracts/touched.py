"""Which leaves of which variables a piece of program may change, read off its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from certune.verifier.contracts import tree
from certune.verifier.contracts import values as v
from certune.verifier.contracts.calls import root_of
from certune.verifier.contracts.targets import from_expression
from certune.verifier.contracts.types import DictT, ListT, RecordT, Type

Touched = dict[str, set[int]]


def touched(
    body: Sequence[tree.Stmt], kinds: Mapping[str, Type], functions: Mapping[str, tree.Function]
) -> Touched:
    """For each variable that `body` may change, the positions of the leaves."""
    done: Touched = {}

    def mark(target: tree.Target, *, part: str = "") -> None:
        kind = kinds.get(target.root, target.type)
        low, high, inner = 0, len(v.sorts(kind)), kind
        for step, what in target.steps:
            if step == "field" and isinstance(inner, RecordT):
                index = v.field_index(inner, str(what))
                first, last = v.part_range(inner, index)
                low, high, inner = low + first, low + last, v.parts(inner)[index]
            elif step == "index" and isinstance(inner, ListT):
                low, inner = low + 1, inner.item
            elif isinstance(inner, DictT):
                break
        if part and isinstance(inner, RecordT):
            first, last = v.part_range(inner, v.field_index(inner, part))
            low, high = low + first, low + last
        done.setdefault(target.root, set()).update(range(low, high))

    def call(made: tree.Expr) -> None:
        if not isinstance(made, tree.Call):
            return
        for parameter, argument in zip(
            functions[made.function].parameters, made.arguments, strict=True
        ):
            if parameter.modifies is not None and root_of(argument) is not None:
                for part in parameter.modifies or ("",):
                    mark(from_expression(argument), part=part)

    def go(statements: Sequence[tree.Stmt]) -> None:
        for s in statements:
            if isinstance(s, tree.Assign):
                for target in s.targets:
                    mark(target)
                for value in s.values:
                    call(value)
            elif isinstance(s, tree.Update):
                mark(s.target)
            elif isinstance(s, tree.Pop):
                mark(s.target)
                if s.into is not None:
                    mark(s.into)
            elif isinstance(s, tree.Do):
                call(s.call)
            elif isinstance(s, tree.Return) and s.value is not None:
                call(s.value)
            elif isinstance(s, tree.If):
                go(s.body)
                go(s.orelse)
            elif isinstance(s, tree.While | tree.For):
                go(s.body)
                if isinstance(s, tree.For):
                    for name in (s.name, s.element):
                        if name:
                            done.setdefault(name, set())

    go(body)
    return done

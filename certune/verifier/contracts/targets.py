"""Places that can be assigned, and who may."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from certune.verifier.contracts.expressions import expression
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.tree import Expr, Field, Index, Lookup, Target, Var
from certune.verifier.contracts.types import RecordT, Type, is_mutable

if TYPE_CHECKING:
    from certune.verifier.contracts.assignments import Assignments


def target(node: ast.expr, body: Assignments) -> Target:
    """The place that `node` denotes.

    Raises:
        Refused: it is no variable, field, element or entry.
    """
    return from_expression(expression(node, body.scope))


def from_expression(expr: Expr) -> Target:
    """The same, of a typed expression."""
    steps: list[tuple[Literal["field", "index", "key"], str | Expr]] = []
    kind, at = expr.type, expr.at
    while not isinstance(expr, Var):
        if isinstance(expr, Field):
            steps.append(("field", expr.name))
        elif isinstance(expr, Index):
            steps.append(("index", expr.index))
        elif isinstance(expr, Lookup) and expr.default is None:
            steps.append(("key", expr.key))
        else:
            raise refuse(at, "this cannot be changed", "assign variables, fields, elements")
        expr = expr.item
    return Target(expr.name, tuple(reversed(steps)), kind, at)


def check_modifiable(place: Target, body: Assignments, part: str = "") -> None:
    """Refuse to change what belongs to the caller and is not in `modifies`, and frozen values."""
    name, at = place.root, place.at
    if "'" in name:
        raise refuse(at, "a bound variable cannot be changed", "assign by index")
    if name in body.scope.ghosts and body.signature.role != "lemma":
        raise refuse(at, f"{name!r} is a ghost variable", "write g = ghost(e)", "ghost")
    if body.signature.role == "spec":
        raise refuse(at, "a specification function changes nothing", "build a new value")
    if name in body.frozen:
        raise refuse(at, f"{name!r} may not change while the loop goes over it", "use indices")
    kind: Type | None = body.scope.variables.get(name)
    for step, what in place.steps:
        if step == "field" and isinstance(kind, RecordT):
            if kind.frozen:
                raise refuse(at, f"{kind.name} is frozen", "build a new one")
            kind = kind.field(str(what))
        elif kind is not None and is_mutable(kind):
            kind = getattr(kind, "item", None) or getattr(kind, "value", None)
    if name not in body.parameters:
        return
    allowed = body.signature.modifies.get(name)
    if allowed is None:
        raise refuse(at, f"{name!r} belongs to the caller", f'add @modifies("{name}")', "modifies")
    first = part or (str(place.steps[0][1]) if place.steps and place.steps[0][0] == "field" else "")
    if allowed and first not in allowed:
        shown = f"{name}.{first}" if first else name
        raise refuse(at, f"{shown!r} is not in modifies", f'add @modifies("{shown}")', "modifies")

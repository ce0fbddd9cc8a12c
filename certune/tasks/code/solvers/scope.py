"""What a loop sees: variables with their kinds, what it changes, what the function returns."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from certune.tasks.code.annotations import loops_of

Kind: TypeAlias = Literal["int", "bool", "list", "lists", "bools", "other"]

_INTEGERS = frozenset({"int", *(f"{sign}{bits}" for sign in "ui" for bits in (8, 16, 32, 64))})
_GIVES_INT = frozenset({"len", "min", "max", "abs", "sum", *_INTEGERS})


@dataclass(frozen=True)
class Loop:
    """A loop of a function, as the search for its invariants sees it.

    `number` counts from 1 by lines. `kinds` are the variables in scope at its head, parameters
    included, `changed` those that its body changes, `index` the variable of a `for` with the
    texts of its bounds.
    """

    function: str
    number: int
    line: int
    kinds: Mapping[str, Kind]
    parameters: frozenset[str]
    changed: frozenset[str]
    index: str = ""
    bounds: tuple[str, str] = ("", "")
    node: ast.While | ast.For | None = None

    def of(self, *kinds: Kind) -> tuple[str, ...]:
        """The variables of these kinds, in the order in which they came up."""
        return tuple(name for name, kind in self.kinds.items() if kind in kinds)


def kind_of(annotation: ast.expr | None) -> Kind:
    """The kind that an annotation says."""
    text = ast.unparse(annotation) if annotation is not None else ""
    if text in _INTEGERS:
        return "int"
    if text == "bool":
        return "bool"
    if text.startswith("list["):
        inner = text[5:-1]
        if inner in _INTEGERS:
            return "list"
        if inner == "bool":
            return "bools"
        return "lists" if inner.startswith("list[") else "other"
    return "other"


def _kind_of_value(node: ast.expr, known: Mapping[str, Kind]) -> Kind:
    found: Kind = "other"
    if isinstance(node, ast.Constant):
        found = "bool" if isinstance(node.value, bool) else "int"
    elif isinstance(node, ast.Compare | ast.BoolOp):
        found = "bool"
    elif isinstance(node, ast.UnaryOp):
        found = "bool" if isinstance(node.op, ast.Not) else "int"
    elif isinstance(node, ast.Name):
        found = known.get(node.id, "other")
    elif isinstance(node, ast.List):
        inner = _kind_of_value(node.elts[0], known) if node.elts else "int"
        found = _listed(inner)
    elif isinstance(node, ast.ListComp):
        found = _listed(_kind_of_value(node.elt, known))
    elif isinstance(node, ast.BinOp):
        left = _kind_of_value(node.left, known)
        found = left if left in ("list", "bools", "lists") else "int"
    elif isinstance(node, ast.Subscript):
        whole = _kind_of_value(node.value, known)
        if isinstance(node.slice, ast.Slice):
            found = whole
        else:
            found = {"list": "int", "bools": "bool", "lists": "list"}.get(whole, "other")  # type: ignore[assignment]
    elif isinstance(node, ast.IfExp):
        found = _kind_of_value(node.body, known)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        found = "int" if node.func.id in _GIVES_INT else "other"
    return found


def _listed(kind: Kind) -> Kind:
    listed: dict[Kind, Kind] = {"int": "list", "bool": "bools", "list": "lists"}
    return listed.get(kind, "other")


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """(variable, value, annotation) of an assignment; elements of lists are left out."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value, None
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for name, value in zip(target.elts, node.value.elts, strict=False):
                    if isinstance(name, ast.Name):
                        yield name.id, value, None
            elif isinstance(target, ast.Tuple):
                for name in target.elts:
                    if isinstance(name, ast.Name):
                        yield name.id, None, None
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, node.value, node.annotation
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, None, None


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


_CHANGING = frozenset({"append", "pop", "clear", "add", "discard", "remove"})


def changed_in(body: list[ast.stmt]) -> frozenset[str]:
    """The variables that statements change, their elements included."""
    found: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    parts = target.elts if isinstance(target, ast.Tuple) else [target]
                    found |= {_root(part) for part in parts}
            elif isinstance(node, ast.For):
                parts = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
                found |= {_root(part) for part in parts}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in _CHANGING:
                    found.add(_root(node.func.value))
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                found |= {_root(argument) for argument in node.value.args}
    return frozenset(found - {""})


def _range(node: ast.expr) -> tuple[str, str] | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        texts = [ast.unparse(argument) for argument in node.args]
        if len(texts) == 1:
            return "0", texts[0]
        if len(texts) == 2:
            return texts[0], texts[1]
    return None


def scopes(function: ast.FunctionDef) -> list[Loop]:
    """The loops of a function with what is in scope at the head of each."""
    arguments = function.args.args
    parameters = frozenset(a.arg for a in arguments)
    loops = loops_of(function)
    found = []
    for number, loop in enumerate(loops, 1):
        kinds: dict[str, Kind] = {a.arg: kind_of(a.annotation) for a in arguments}
        _before(function.body, loop, kinds)
        index, bounds = "", ("", "")
        if isinstance(loop, ast.For) and isinstance(loop.target, ast.Name):
            found_range = _range(loop.iter)
            if found_range is not None:
                index, bounds = loop.target.id, found_range
                kinds[index] = "int"
        changed = changed_in(loop.body) | ({index} if index else frozenset())
        found.append(
            Loop(
                function.name,
                number,
                loop.lineno,
                kinds,
                parameters,
                changed,
                index,
                bounds,
                loop,
            )
        )
    return found


def _before(body: list[ast.stmt], loop: ast.stmt, kinds: dict[str, Kind]) -> bool:
    """Take up what is assigned on the way to `loop`; whether it was found in `body`."""
    for statement in body:
        if statement is loop:
            return True
        for name, value, annotation in _assigned(statement):
            if annotation is not None:
                kinds[name] = kind_of(annotation)
            elif name not in kinds:
                kinds[name] = "other" if value is None else _kind_of_value(value, kinds)
        inside = any(node is loop for node in ast.walk(statement))
        if not inside:
            if isinstance(statement, ast.If):
                _branches(statement, kinds)
            continue
        if isinstance(statement, ast.For) and isinstance(statement.target, ast.Name):
            kinds[statement.target.id] = "int" if _range(statement.iter) else "other"
        for inner in (getattr(statement, "body", []), getattr(statement, "orelse", [])):
            if _before(inner, loop, kinds):
                return True
    return False


def _branches(statement: ast.If, kinds: dict[str, Kind]) -> None:
    """What both branches of an `if` assign is in scope after it."""
    sides = []
    for body in (statement.body, statement.orelse):
        side: dict[str, Kind] = {}
        for inner in body:
            for name, value, annotation in _assigned(inner):
                told = kind_of(annotation) if annotation is not None else "other"
                if annotation is None and value is not None:
                    told = _kind_of_value(value, kinds)
                side.setdefault(name, told)
        sides.append(side)
    for name in sides[0].keys() & sides[1].keys():
        kinds.setdefault(name, sides[0][name])


def indices(loop: Loop) -> list[str]:
    """Integer variables that index a list or bound a loop, the changing ones first."""
    names = [n for n in loop.of("int") if n in loop.changed]
    used = _subscripts(loop)
    return sorted(
        (n for n in loop.of("int") if n in used or n in names),
        key=lambda n: (n not in loop.changed, n),
    )[:6]


def _subscripts(loop: Loop) -> set[str]:
    found: set[str] = set()
    if loop.node is not None:
        for node in ast.walk(loop.node):
            if isinstance(node, ast.Subscript):
                found |= {n.id for n in ast.walk(node.slice) if isinstance(n, ast.Name)}
        head = loop.node.test if isinstance(loop.node, ast.While) else loop.node.iter
        found |= {n.id for n in ast.walk(head) if isinstance(n, ast.Name)}
    return found


def span_text(low: str, high: str) -> str:
    """The text of the range from `low` to `high`."""
    return f"range({high})" if low == "0" else f"range({low}, {high})"


def free_names(loop: Loop) -> tuple[str, str]:
    """Two names for bound variables that nothing in scope has."""
    assert loop.node is not None
    used = {n.id for n in ast.walk(loop.node) if isinstance(n, ast.Name)} | set(loop.kinds)
    free = [name for name in ("j", "k", "p", "q", "r", "s", "u", "v", "w") if name not in used]
    return free[0], free[1]

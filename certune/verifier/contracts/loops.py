"""Loops with their invariants and measures."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from certune.verifier.contracts import collections_of as lists
from certune.verifier.contracts.coerce import integer, mathematical
from certune.verifier.contracts.expressions import condition, expression
from certune.verifier.contracts.ghosts import called_name, is_docstring, is_ghost
from certune.verifier.contracts.scope import Scope, check_name
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.targets import from_expression
from certune.verifier.contracts.tree import (
    And,
    Bin,
    Cmp,
    Expr,
    For,
    Len,
    Lit,
    Slice,
    Stmt,
    While,
)
from certune.verifier.contracts.types import INT, ListT, Type, is_mutable

if TYPE_CHECKING:
    from certune.verifier.contracts.statements import Body

_NO_MEASURE = "write decreases(e) with what gets smaller in each iteration and stays at least 0"


def read_annotations(
    nodes: list[ast.stmt], scope: Scope, *, loop: bool
) -> tuple[list[Expr], list[Expr], list[ast.stmt]]:
    """The invariants and measures that begin a body, and the rest of it.

    Raises:
        Refused: the words are not imported, or a measure comes twice.
    """
    invariants: list[Expr] = []
    measures: list[Expr] = []
    rest = list(nodes)
    while rest:
        node = rest[0]
        name = called_name(node)
        if is_docstring(node) and not loop:
            rest.pop(0)
            continue
        if name not in ("invariant", "decreases"):
            break
        at = scope.at(node)
        assert isinstance(node, ast.Expr)
        assert isinstance(node.value, ast.Call)
        if name not in scope.names.library:
            raise refuse(at, f"{name} is not imported", f"from certune.contracts import {name}")
        if node.value.keywords or not node.value.args:
            raise refuse(at, f"this use of {name}", f"{name}(e)", "annotation")
        with scope.annotating():
            if name == "decreases":
                if measures:
                    raise refuse(at, "a second decreases", "decreases(a, b)", "annotation")
                measures = [
                    mathematical(integer(expression(a, scope), scope.at(a)))
                    for a in node.value.args
                ]
            elif not loop or len(node.value.args) != 1:
                raise refuse(at, "this invariant", "invariant(p) in a loop", "annotation")
            else:
                stated = condition(_unwrapped(node.value.args[0]), scope)
                invariants.append(replace(stated, at=at))
        rest.pop(0)
    return invariants, measures, rest


def _unwrapped(node: ast.expr) -> ast.expr:
    """``lambda: p`` is p; not evaluated at run time unless checking is on."""
    if isinstance(node, ast.Lambda):
        a = node.args
        if not (a.args or a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg):
            return node.body
    return node


def loop_while(body: Body, node: ast.While) -> Stmt:
    """``while c:``."""
    scope, at = body.scope, body.scope.at(node)
    ghost = is_ghost(node, body.lemmas)
    if ghost:
        with scope.annotating():
            test = condition(node.test, scope)
    else:
        test = condition(node.test, scope)
    before = set(scope.assigned or ())
    invariants, measures, rest = read_annotations(node.body, scope, loop=True)
    if not measures and not (body.signature_partial):
        with scope.annotating():
            guessed = _measure(condition(node.test, scope))
        if guessed is None:
            raise refuse(at, "nothing shows that this loop ends", _NO_MEASURE, "decreases")
        measures = [guessed]
    breaks: list[set[str]] = []
    body.breaks.append(breaks)
    statements = body.block(rest)
    body.breaks.pop()
    endless = isinstance(test, Lit) and test.value is True
    scope.assigned = None if endless else before
    for assigned in breaks:
        scope.assigned = assigned if scope.assigned is None else scope.assigned & assigned
    return While(at, test, tuple(invariants), tuple(measures), statements, ghost=ghost)


def _measure(test: Expr) -> Expr | None:
    """The difference that the loop's condition says to be positive."""
    if isinstance(test, And):
        found = [m for m in map(_measure, test.items) if m is not None]
        return found[0] if found else None
    if not isinstance(test, Cmp) or test.op not in ("<", "<="):
        return None
    return Bin(INT, test.at, "-", mathematical(test.right), mathematical(test.left))


def loop_for(body: Body, node: ast.For) -> Stmt:
    """``for i in range(…)``, ``for x in xs``, ``for i, x in enumerate(xs)``."""
    scope, at = body.scope, body.scope.at(node)
    ghost = is_ghost(node, body.lemmas)
    if ghost:
        with scope.annotating():
            return _for(body, node, ghost)
    if node.type_comment is not None:
        raise refuse(at, "a type comment", "remove it")
    return _for(body, node, ghost)


def _for(body: Body, node: ast.For, ghost: bool) -> Stmt:
    scope, at = body.scope, body.scope.at(node)
    called = called_name(node.iter)
    source: Expr | None = None
    root = ""
    element: ast.expr | None = None
    index: ast.expr | None = node.target
    element_type: Type = INT
    step = 1
    if called == "range":
        assert isinstance(node.iter, ast.Call)
        low, high, step = lists.range_of(node.iter, scope)
    else:
        over = node.iter
        if called == "enumerate":
            assert isinstance(over, ast.Call)
            if len(over.args) != 1 or over.keywords:
                raise refuse(at, "enumerate with a start", "write enumerate(xs)")
            if not (isinstance(node.target, ast.Tuple) and len(node.target.elts) == 2):
                raise refuse(at, "enumerate without two names", "for i, x in enumerate(xs)")
            index, element = node.target.elts
            over = over.args[0]
        else:
            index, element = None, node.target
        listed = expression(over, scope)
        offset: Expr | None = None
        if isinstance(listed, Slice) and called != "enumerate":
            raise refuse(at, "going over a slice", "write for i in range(a, b)")
        if not isinstance(listed.type, ListT):
            raise refuse(at, f"going over a {listed.type}", "range, a list, enumerate of a list")
        if is_mutable(listed.type.item):
            raise refuse(at, "the element would be shared", "for i in range(len(m))", "alias")
        source, root = listed, from_expression(listed).root
        element_type = listed.type.item
        low, high = offset or Lit(INT, at, 0), Len(INT, at, listed)
    before = set(scope.assigned or ())
    names: list[str] = []
    hidden = (
        _loop_variable(index, INT, body, names, ghost) if index is not None else scope.fresh("i")
    )
    shown = _loop_variable(element, element_type, body, names, ghost) if element is not None else ""
    if source is not None:
        body.frozen.append(root)
    body.loop_variables.extend(names)
    if scope.assigned is not None:
        scope.assigned.update(names)
        if shown:
            scope.assigned.discard(shown)
    invariants, measures, rest = read_annotations(node.body, scope, loop=True)
    if measures:
        raise refuse(at, "decreases in a for loop", "it ends by itself; remove it", "annotation")
    if shown and scope.assigned is not None:
        scope.assigned.add(shown)
    body.breaks.append([])
    statements = body.block(rest)
    breaks = body.breaks.pop()
    for _ in names:
        body.loop_variables.pop()
    if source is not None:
        body.frozen.pop()
    scope.assigned = before
    for assigned in breaks:
        scope.assigned &= assigned
    scope.assigned -= set(names)
    return For(
        at,
        hidden,
        low,
        high,
        step,
        tuple(invariants),
        statements,
        source,
        shown,
        ghost=ghost,
    )


def _loop_variable(node: ast.expr, kind: Type, body: Body, names: list[str], ghost: bool) -> str:
    scope = body.scope
    at = scope.at(node)
    if not isinstance(node, ast.Name):
        raise refuse(at, "a pattern as loop variable", "one name")
    name = node.id
    known = scope.variables.get(name)
    if name == "_":
        return scope.fresh("_")
    if known is None:
        check_name(name, node, scope.names.file, "variable")
        scope.names.check_new(name, node, "variable")
        scope.variables[name] = kind
    elif known != kind:
        raise refuse(at, f"{name!r} is a {known} already", "choose another name", "type")
    if name in body.parameters or name in body.loop_variables or name in names:
        raise refuse(at, f"{name!r} is in use", "choose another name", "shadowing")
    if name in scope.ghosts:
        raise refuse(at, f"{name!r} is a ghost variable", "choose another name", "ghost")
    names.append(name)
    return name

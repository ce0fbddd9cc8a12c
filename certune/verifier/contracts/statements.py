"""Statements: from Python's tree to the typed one, with what aliases or leaks ghosts refused."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from certune.core.errors import nearest
from certune.verifier.contracts import collections_of as lists
from certune.verifier.contracts.assignments import Assignments
from certune.verifier.contracts.calls import by_contract
from certune.verifier.contracts.coerce import coerce
from certune.verifier.contracts.expressions import condition, expression
from certune.verifier.contracts.ghosts import called_name, is_docstring, is_ghost
from certune.verifier.contracts.loops import loop_for, loop_while
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.targets import check_modifiable, target
from certune.verifier.contracts.tree import (
    Assert,
    Call,
    Do,
    Expr,
    If,
    Jump,
    Return,
    Stmt,
    Update,
    Var,
)
from certune.verifier.contracts.types import (
    DictT,
    ListT,
    NoneT,
    SetT,
    is_mutable,
)


class Body(Assignments):
    """Reads the statements of one function."""

    def block(self, nodes: Sequence[ast.stmt]) -> tuple[Stmt, ...]:
        """The statements of a block; those after a jump are refused."""
        done: list[Stmt] = []
        for node in nodes:
            if is_docstring(node) or isinstance(node, ast.Pass):
                continue
            if self.scope.assigned is None:
                raise refuse(
                    self.scope.at(node), "this is never reached", "remove it", "unreachable"
                )
            done.append(self.statement(node))
        return tuple(done)

    def statement(self, node: ast.stmt) -> Stmt:
        """One statement."""
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise refuse(
                self.scope.at(node),
                f"{type(node).__name__} is not of the language",
                "see docs/code.md, Statements",
            )
        return handler(self, node)

    # -- calls, methods -----------------------------------------------------------------------

    def _expression_statement(self, node: ast.Expr) -> Stmt:
        at = self.scope.at(node)
        value = node.value
        if not isinstance(value, ast.Call):
            raise refuse(at, "an expression without effect", "remove it")
        name = called_name(value)
        if name in ("invariant", "decreases"):
            raise refuse(
                at, f"{name} stands in a wrong place", "first in the body of a loop", "annotation"
            )
        if isinstance(value.func, ast.Attribute):
            return self._method(value, value.func)
        signature = self.scope.names.functions.get(name)
        if signature is None or name in self.scope.variables:
            known = self.scope.names.functions
            raise refuse(at, f"{name[:40]!r} is no function here", nearest(name, known), "name")
        if signature.role == "lemma":
            with self.scope.annotating():
                return Do(at, by_contract(signature, value, self.scope), ghost=True)
        made = self.effectful(value)
        if made is None:
            made = by_contract(signature, value, self.scope)
            if signature.role == "spec":
                raise refuse(at, "a specification function has no effect", "remove the call")
        return Do(at, made)

    def _method(self, node: ast.Call, func: ast.Attribute) -> Stmt:
        at = self.scope.at(node)
        if func.attr == "pop":
            popped = self.pop(node, None, None)
            assert popped is not None
            return popped
        place = target(func.value, self)
        check_modifiable(place, self)
        if node.keywords:
            raise refuse(at, "keywords here", "drop them")
        kind = place.type
        if isinstance(kind, ListT) and func.attr == "append" and len(node.args) == 1:
            value = self.value(node.args[0], kind.item)
            if isinstance(value, Call) and self.has_effects(value):
                raise refuse(value.at, "a call with effects in append", "assign it first")
            return Update(at, "append", place, coerce(value, kind.item, at))
        if isinstance(kind, ListT | DictT | SetT) and func.attr == "clear" and not node.args:
            return Update(at, "clear", place, None)
        if isinstance(kind, SetT) and len(node.args) == 1:
            for op in ("add", "discard", "remove"):
                if func.attr == op:
                    key = expression(node.args[0], self.scope, kind.key)
                    return Update(at, op, place, coerce(key, kind.key, at))
        raise refuse(at, f"a {kind} has no {func.attr[:40]!r} here", "see docs/code.md, Statements")

    def _delete(self, node: ast.Delete) -> Stmt:
        at = self.scope.at(node)
        if len(node.targets) == 1 and isinstance(node.targets[0], ast.Subscript):
            part = node.targets[0]
            place = target(part.value, self)
            check_modifiable(place, self)
            if isinstance(place.type, DictT):
                key = expression(part.slice, self.scope, place.type.key)
                return Update(at, "delete", place, coerce(key, place.type.key, at))
        raise refuse(at, "this del", "del d[k] of a dictionary; lists: pop or build a new one")

    # -- control ------------------------------------------------------------------------------

    def _assertion(self, node: ast.Assert) -> Stmt:
        if node.msg is not None and not isinstance(node.msg, ast.Constant):
            raise refuse(self.scope.at(node.msg), "a computed message", "a literal, or none")
        with self.scope.annotating():
            return Assert(self.scope.at(node), condition(node.test, self.scope), ghost=True)

    def _branch(self, node: ast.If) -> Stmt:
        at, scope = self.scope.at(node), self.scope
        ghost = is_ghost(node, self.lemmas)
        if ghost:
            with scope.annotating():
                test = condition(node.test, scope)
        else:
            test = condition(node.test, scope)
        before = set(scope.assigned or ())
        body = self.block(node.body)
        after_body = scope.assigned
        scope.assigned = set(before)
        orelse = self.block(node.orelse)
        after_else = scope.assigned
        scope.assigned = _on_both(after_body, after_else)
        return If(at, test, body, orelse, ghost=ghost)

    def _jump(self, node: ast.Break | ast.Continue) -> Stmt:
        at = self.scope.at(node)
        if not self.breaks:
            raise refuse(at, "outside of a loop", reason="syntax")
        if isinstance(node, ast.Break):
            self.breaks[-1].append(set(self.scope.assigned or ()))
        self.scope.assigned = None
        return Jump(at, "break" if isinstance(node, ast.Break) else "continue")

    def _ret(self, node: ast.Return) -> Stmt:
        at, scope, kind = self.scope.at(node), self.scope, self.signature.result
        if node.value is None or (
            isinstance(kind, NoneT)
            and isinstance(node.value, ast.Constant)
            and node.value.value is None
        ):
            if not isinstance(kind, NoneT):
                raise refuse(at, "return without a value", f"return a {kind}", "type")
            scope.assigned = None
            return Return(at, None)
        if isinstance(kind, NoneT):
            raise refuse(at, "a value is returned", "the result is declared as None", "type")
        value: Expr | None = self.effectful(node.value)
        if value is None:
            scope.moved = []
            value = expression(node.value, scope, kind)
            moved, scope.moved = scope.moved, None
            if isinstance(value, Var) and is_mutable(value.type):
                moved.append(value.name)
            else:
                lists.check_fresh(value, scope)
                lists.owned_slice(value)
            for name in moved:
                if name in self.parameters or moved.count(name) > 1 or name in scope.ghosts:
                    raise refuse(
                        at, f"{name!r} would have two owners", "return a copy: xs[:]", "alias"
                    )
        result = coerce(value, kind, at, "returned")
        self.check_plain(value, result)
        scope.assigned = None
        return Return(at, result)

    def _loop(self, node: ast.While | ast.For) -> Stmt:
        if node.orelse:
            raise refuse(self.scope.at(node.orelse[0]), "else of a loop", "use a flag", "loop-else")
        return loop_while(self, node) if isinstance(node, ast.While) else loop_for(self, node)


def _on_both(one: set[str] | None, two: set[str] | None) -> set[str] | None:
    """What is assigned after two ways; None is a way that does not go on."""
    if one is None or two is None:
        return two if one is None else one
    return one & two


_HANDLERS: dict[type[ast.stmt], Callable[..., Stmt]] = {
    ast.Assign: Body._assign,
    ast.AnnAssign: Body._declared,
    ast.AugAssign: Body._augmented,
    ast.Expr: Body._expression_statement,
    ast.Delete: Body._delete,
    ast.Assert: Body._assertion,
    ast.If: Body._branch,
    ast.While: Body._loop,
    ast.For: Body._loop,
    ast.Break: Body._jump,
    ast.Continue: Body._jump,
    ast.Return: Body._ret,
}

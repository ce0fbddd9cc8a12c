"""Statements: from Python's tree to the typed one, with what aliases or leaks ghosts refused."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from certune.core.errors import nearest
from certune.verifier.contracts import collections_of as lists
from certune.verifier.contracts.calls import by_contract, root_of
from certune.verifier.contracts.coerce import coerce, mathematical
from certune.verifier.contracts.expressions import _BIN as ARITHMETIC
from certune.verifier.contracts.expressions import _BIT as BITS
from certune.verifier.contracts.expressions import arithmetic, bitwise, condition, expression
from certune.verifier.contracts.ghosts import called_name, is_docstring, is_ghost
from certune.verifier.contracts.loops import loop_for, loop_while
from certune.verifier.contracts.scope import Scope, Signature, check_name, read_type
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.targets import check_modifiable, target
from certune.verifier.contracts.tree import (
    Assert,
    Assign,
    Call,
    Do,
    Expr,
    If,
    Jump,
    Pop,
    Return,
    Stmt,
    Target,
    Update,
    Var,
)
from certune.verifier.contracts.types import (
    DictT,
    ListT,
    NoneT,
    SetT,
    TupleT,
    Type,
    is_mutable,
)


class Body:
    """Reads the statements of one function."""

    def __init__(self, scope: Scope, signature: Signature, lemmas: frozenset[str]) -> None:
        self.scope = scope
        self.signature = signature
        self.lemmas = lemmas
        self.parameters = dict(signature.parameters)
        self.signature_partial = False
        self.breaks: list[list[set[str]]] = []
        self.frozen: list[str] = []
        self.loop_variables: list[str] = []

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

    # -- assignment ---------------------------------------------------------------------------

    def _assign(self, node: ast.Assign) -> Stmt:
        at = self.scope.at(node)
        if len(node.targets) != 1:
            raise refuse(at, "a = b = …", "one assignment a statement")
        if called_name(node.value) == "ghost":
            return self._ghost(node.targets[0], node.value, None, node)
        left = node.targets[0]
        if isinstance(left, ast.Tuple):
            return self._unpack(left, node)
        popped = self.pop(node.value, left, None)
        if popped is not None:
            return popped
        return self._single(left, node.value, None, node)

    def _declared(self, node: ast.AnnAssign) -> Stmt:
        at = self.scope.at(node)
        if not isinstance(node.target, ast.Name) or node.value is None or not node.simple:
            raise refuse(at, "a declaration without a value", "write x: int = 0")
        kind = read_type(node.annotation, self.scope.names, node)
        if isinstance(kind, NoneT):
            raise refuse(at, "a variable of type None", "drop it")
        if called_name(node.value) == "ghost":
            return self._ghost(node.target, node.value, kind, node)
        popped = self.pop(node.value, node.target, kind)
        if popped is not None:
            return popped
        return self._single(node.target, node.value, kind, node)

    def _single(self, left: ast.expr, right: ast.expr, kind: Type | None, node: ast.stmt) -> Assign:
        wanted = kind or self.expected(left)
        value = self.value(right, wanted)
        place = self.place(left, kind, value)
        coerced = coerce(value, place.type, self.scope.at(right))
        self.check_plain(value, coerced)
        value = coerced
        self.check_effects(value, place)
        return Assign(self.scope.at(node), (place,), (value,), ghost=self.is_ghostly(place))

    def is_ghostly(self, place: Target) -> bool:
        """Whether the assignment is erased; only in lemmas and ghost code without `ghost`."""
        return place.root in self.scope.ghosts

    def value(self, node: ast.expr, wanted: Type | None) -> Expr:
        """A right-hand side: a call with effects is allowed; what is mutable must be fresh."""
        made: Expr | None = self.effectful(node)
        if made is None:
            made = expression(node, self.scope, wanted)
        if isinstance(made.type, NoneT) and isinstance(made, Call):
            raise refuse(made.at, f"{made.function} returns nothing", "call it as a statement")
        lists.check_fresh(made, self.scope)
        lists.owned_slice(made)
        return made

    def effectful(self, node: ast.expr) -> Call | None:
        """The call of a function that modifies its arguments, None if `node` is no such call."""
        name = called_name(node)
        signature = self.scope.names.functions.get(name)
        if signature is None or name in self.scope.variables or not signature.modifies:
            return None
        assert isinstance(node, ast.Call)
        made = by_contract(signature, node, self.scope)
        for (parameter, kind), argument in zip(signature.parameters, made.arguments, strict=True):
            if parameter in signature.modifies and is_mutable(kind):
                root = root_of(argument)
                if root is not None:
                    place = self.as_target(argument)
                    for part in signature.modifies[parameter] or ("",):
                        check_modifiable(place, self, part)
        return made

    def as_target(self, expr: Expr) -> Target:
        """The place that a mutable argument is."""
        return target_of(expr)

    def check_plain(self, value: Expr, coerced: Expr) -> None:
        """Refuse to convert the result of a call with effects in the same statement."""
        if isinstance(value, Call) and coerced is not value and self.has_effects(value):
            raise refuse(
                value.at,
                f"the result is a {value.type}, a {coerced.type} is wanted",
                "assign it to a variable of its own type first",
                "effects",
            )

    def check_effects(self, value: Expr, place: Target) -> None:
        """Refuse ``xs[i] = f(xs)`` where the call changes what the target lies in."""
        if not (isinstance(value, Call) and place.steps and self.has_effects(value)):
            return
        if any(root_of(a) == place.root for a in value.arguments if is_mutable(a.type)):
            raise refuse(value.at, "the call changes what it is assigned to", "use a variable")

    def signature_of(self, made: Call) -> Signature | None:
        """The signature that a call goes by."""
        for signature in self.scope.names.functions.values():
            if signature.name == made.function:
                return signature
        return None

    def _unpack(self, left: ast.Tuple, node: ast.Assign) -> Assign:
        at = self.scope.at(node)
        if isinstance(node.value, ast.Tuple):
            if len(node.value.elts) != len(left.elts):
                raise refuse(at, "as many values as targets are needed")
            values = [
                self.value(v, self.expected(t))
                for t, v in zip(left.elts, node.value.elts, strict=True)
            ]
            for value in values:
                if isinstance(value, Call) and self.has_effects(value):
                    raise refuse(value.at, "a call with effects in a tuple", "assign it by itself")
            places = [self.place(t, None, v) for t, v in zip(left.elts, values, strict=True)]
            done = tuple(coerce(v, p.type, v.at) for v, p in zip(values, places, strict=True))
            return Assign(at, tuple(places), done)
        whole = self.value(node.value, None)
        if not isinstance(whole.type, TupleT) or len(whole.type.items) != len(left.elts):
            raise refuse(at, f"a {whole.type} for {len(left.elts)} targets")
        places = []
        for part, kind in zip(left.elts, whole.type.items, strict=True):
            place = self.place(part, None, Var(kind, at, ""))
            if place.type != kind:
                raise refuse(at, f"a {kind} for a {place.type}", "unpack into variables", "type")
            self.check_effects(whole, place)
            places.append(place)
        return Assign(at, tuple(places), (whole,), unpack=True)

    def has_effects(self, made: Call) -> bool:
        """Whether the called function modifies its arguments."""
        signature = self.signature_of(made)
        return signature is not None and bool(signature.modifies)

    def _augmented(self, node: ast.AugAssign) -> Stmt:
        at = self.scope.at(node)
        read = ast.copy_location(_as_load(node.target), node.target)
        left, right = expression(read, self.scope), None
        if isinstance(left.type, ListT):
            raise refuse(at, "+= on a list", "append, or write xs = xs + ys", "alias")
        right = expression(node.value, self.scope, left.type)
        if type(node.op) in ARITHMETIC:
            value = arithmetic(ARITHMETIC[type(node.op)], left, right, self.scope, node)
        elif type(node.op) in BITS:
            value = bitwise(BITS[type(node.op)], left, right, self.scope, node)
        else:
            raise refuse(at, "this assignment operator", "+= -= *= //= %= &= |= ^= <<= >>=")
        place = self.place(node.target, None, value)
        return Assign(at, (place,), (coerce(value, place.type, at),))

    def expected(self, node: ast.expr) -> Type | None:
        """The type that an assignment's target has already, if it has one."""
        if isinstance(node, ast.Name):
            return self.scope.variables.get(node.id)
        if isinstance(node, ast.Subscript | ast.Attribute):
            return target(node, self).type
        return None

    def place(
        self, node: ast.expr, kind: Type | None, value: Expr, *, ghost: bool = False
    ) -> Target:
        """The target; a new variable is declared with the value's type."""
        at = self.scope.at(node)
        if not isinstance(node, ast.Name):
            place = target(node, self)
            check_modifiable(place, self)
            return place
        name = node.id
        known = self.scope.variables.get(name)
        if known is None:
            check_name(name, node, self.scope.names.file, "variable")
            self.scope.names.check_new(name, node, "variable")
            known = kind or value.type
            if isinstance(known, NoneT):
                raise refuse(at, f"{name} = None", f"write {name}: int | None = None", "type")
            self.scope.variables[name] = known
            if ghost:
                self.scope.ghosts.add(name)
        elif kind is not None and kind != known:
            raise refuse(at, f"{name!r} is a {known} already", "choose another name", "type")
        if (name in self.scope.ghosts) is not ghost and self.signature.role != "lemma":
            raise refuse(
                at,
                f"{name!r} is {'no ' if ghost else 'a '}ghost variable",
                "every assignment of a ghost variable is written g = ghost(e)",
                "ghost",
            )
        if name in self.parameters and is_mutable(known):
            raise refuse(at, f"{name!r} belongs to the caller", "use another variable", "alias")
        if name in self.frozen or name in self.loop_variables:
            raise refuse(at, f"{name!r} may not change in this loop", "use another variable")
        if self.scope.assigned is not None:
            self.scope.assigned.add(name)
        return Target(name, (), known, at)

    def _ghost(self, left: ast.expr, right: ast.expr, kind: Type | None, node: ast.stmt) -> Stmt:
        at = self.scope.at(node)
        assert isinstance(right, ast.Call)
        if "ghost" not in self.scope.names.library:
            raise refuse(at, "ghost is not imported", "from certune.contracts import ghost")
        if len(right.args) != 1 or right.keywords or not isinstance(left, ast.Name):
            raise refuse(at, "this use of ghost", "write g = ghost(e)", "ghost")
        with self.scope.annotating():
            wanted = kind or self.expected(left)
            value = expression(right.args[0], self.scope, wanted)
            lists.check_fresh(value, self.scope)
            lists.owned_slice(value)
            place = self.place(left, kind, value, ghost=True)
            value = coerce(value, place.type, at)
        return Assign(at, (place,), (value,), ghost=True)

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

    def pop(self, node: ast.expr, left: ast.expr | None, kind: Type | None) -> Pop | None:
        """``x = xs.pop()`` or ``xs.pop()``."""
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "pop"
        ):
            return None
        at = self.scope.at(node)
        source = target(node.func.value, self)
        check_modifiable(source, self)
        if not isinstance(source.type, ListT) or node.args or node.keywords:
            raise refuse(at, "this pop", "xs.pop() of a list")
        if left is None:
            return Pop(at, source, None)
        if not isinstance(left, ast.Name):
            raise refuse(at, "pop into a part", "pop into a variable")
        place = self.place(left, kind, Var(source.type.item, at, ""))
        if place.type != source.type.item:
            raise refuse(at, f"a {source.type.item} for a {place.type}", "same types", "type")
        return Pop(at, source, place)

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


def target_of(expr: Expr) -> Target:
    """The place that an expression of variables, fields and indices denotes."""
    from certune.verifier.contracts.targets import from_expression

    return from_expression(expr)


def _as_load(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Name):
        return ast.Name(node.id, ast.Load())
    return node


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
__all__ = ["Body", "mathematical"]

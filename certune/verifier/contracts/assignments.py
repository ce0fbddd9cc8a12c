"""Assignments: what may be assigned where, without aliases, leaks of ghosts or lost effects."""

from __future__ import annotations

import ast

from certune.verifier.contracts import collections_of as lists
from certune.verifier.contracts.calls import by_contract, root_of
from certune.verifier.contracts.coerce import coerce
from certune.verifier.contracts.expressions import expression
from certune.verifier.contracts.ghosts import called_name
from certune.verifier.contracts.operators import ARITHMETIC, BITS, arithmetic, bitwise
from certune.verifier.contracts.scope import Scope, Signature, check_name, read_type
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.targets import check_modifiable, target
from certune.verifier.contracts.tree import (
    Assign,
    Call,
    Expr,
    Pop,
    Stmt,
    Target,
    Var,
)
from certune.verifier.contracts.types import (
    ListT,
    NoneT,
    TupleT,
    Type,
    is_mutable,
)


class Assignments:
    """What reading statements shares: the scope, the loops around, and assignments."""

    def __init__(self, scope: Scope, signature: Signature, lemmas: frozenset[str]) -> None:
        self.scope = scope
        self.signature = signature
        self.lemmas = lemmas
        self.parameters = dict(signature.parameters)
        self.signature_partial = False
        self.breaks: list[list[set[str]]] = []
        self.frozen: list[str] = []
        self.loop_variables: list[str] = []

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
        return Assign(self.scope.at(node), (place,), (value,))

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
                    place = target_of(argument)
                    for part in signature.modifies[parameter] or ("",):
                        check_modifiable(place, self, part)
        return made

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


def target_of(expr: Expr) -> Target:
    """The place that an expression of variables, fields and indices denotes."""
    from certune.verifier.contracts.targets import from_expression

    return from_expression(expr)


def _as_load(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Name):
        return ast.Name(node.id, ast.Load())
    return node

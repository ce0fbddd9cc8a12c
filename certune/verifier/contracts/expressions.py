"""Expressions: from Python's tree to the typed one."""

from __future__ import annotations

import ast
from collections.abc import Callable

from certune.core.errors import nearest
from certune.verifier.contracts import collections_of
from certune.verifier.contracts.coerce import coerce, fits, integer, mathematical, together
from certune.verifier.contracts.operators import ARITHMETIC, BITS, arithmetic, bitwise, compared
from certune.verifier.contracts.scope import Scope
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.tree import (
    And,
    Build,
    Choice,
    Expr,
    Field,
    Inv,
    IsNone,
    Item,
    Lit,
    Neg,
    Not,
    Old,
    Or,
    Var,
)
from certune.verifier.contracts.types import (
    BOOL,
    INT,
    NONE,
    WORDS,
    IntT,
    ListT,
    NoneT,
    OptionT,
    RecordT,
    TupleT,
    Type,
    WordT,
    is_integer,
    is_mutable,
)

_MOST = 200_000  # expressions of one function, those read twice counted twice


def expression(node: ast.expr, scope: Scope, wanted: Type | None = None) -> Expr:
    """The typed form of `node`; `wanted` helps literals that have several types.

    Raises:
        Refused: it is not of the language.
    """
    scope.spent[0] += 1
    if scope.spent[0] > _MOST:
        raise refuse(scope.at(node), "an expression too large", "split the function", "size")
    handler = _HANDLERS.get(type(node))
    if handler is None:
        raise refuse(
            scope.at(node),
            f"{type(node).__name__} is not of the language",
            _REMEDIES.get(type(node), "see docs/code.md, Statements"),
        )
    return handler(node, scope, wanted)


def condition(node: ast.expr, scope: Scope) -> Expr:
    """The typed form of a `bool` expression."""
    return coerce(expression(node, scope, BOOL), BOOL, scope.at(node))


def _constant(node: ast.Constant, scope: Scope, wanted: Type | None) -> Expr:
    at, value = scope.at(node), node.value
    if value is None:
        return Lit(wanted if isinstance(wanted, OptionT) else NONE, at, None)
    if isinstance(value, bool):
        return Lit(BOOL, at, value)
    if isinstance(value, int):
        kind = wanted if isinstance(wanted, WordT) and fits(value, wanted) else INT
        return Lit(kind, at, value)
    raise refuse(at, f"a {type(value).__name__} literal", "integers, booleans and None only")


def _name(node: ast.Name, scope: Scope, wanted: Type | None) -> Expr:
    at, name = scope.at(node), node.id
    if name in scope.binders:
        inner, kind = scope.binders[name]
        return scope.elements.get(inner) or Var(kind, at, inner)
    if name in scope.variables:
        if scope.entry:
            return Old(scope.variables[name], at, name)
        if name in scope.ghosts and not scope.annotation:
            raise refuse(
                at,
                f"ghost variable {name!r} is read by code",
                "only annotations may read it",
                "ghost",
            )
        if scope.assigned is not None and name not in scope.assigned:
            raise refuse(
                at, f"{name!r} may have no value here", "assign it on every path", "unassigned"
            )
        return Var(scope.variables[name], at, name)
    if name in scope.names.constants:
        found = scope.names.constants[name]
        assert isinstance(found, Lit)
        return Lit(found.type, at, found.value)
    raise refuse(at, f"{name[:40]!r} is unknown here", nearest(name, scope.known()), "name")


def _attribute(node: ast.Attribute, scope: Scope, wanted: Type | None) -> Expr:
    at = scope.at(node)
    if isinstance(node.value, ast.Name):
        base = node.value.id
        if base in WORDS and base in scope.names.library:
            return _word_constant(WORDS[base], node, scope)
        if base == "OLD" and base not in scope.variables:
            if node.attr in scope.olds:
                return scope.olds[node.attr]
            raise refuse(at, f"OLD.{node.attr} has no snapshot", "add @icontract.snapshot(…)")
        if base == scope.record and node.attr in scope.variables:
            return _name(ast.copy_location(ast.Name(node.attr, ast.Load()), node), scope, wanted)
    item = expression(node.value, scope)
    if isinstance(item.type, OptionT):
        item = coerce(item, item.type.item, at)
    kind = item.type.field(node.attr) if isinstance(item.type, RecordT) else None
    if kind is None:
        known = [name for name, _ in item.type.fields] if isinstance(item.type, RecordT) else []
        raise refuse(at, f"a {item.type} has no {node.attr[:40]!r}", nearest(node.attr, known))
    return Field(kind, at, item, node.attr)


def _word_constant(word: WordT, node: ast.Attribute, scope: Scope) -> Expr:
    at = scope.at(node)
    if node.attr == "BITS":
        return Lit(INT, at, word.bits)
    if node.attr in ("MAX", "MIN"):
        return Lit(word, at, word.high if node.attr == "MAX" else word.low)
    raise refuse(
        at, f"{word}.{node.attr[:40]}", "known: MAX, MIN, BITS and the wrapping operations"
    )


def _binary(node: ast.BinOp, scope: Scope, wanted: Type | None) -> Expr:
    at = scope.at(node)
    if isinstance(node.op, ast.Pow):
        return _power(node, scope)
    if isinstance(node.op, ast.Mult) and (
        isinstance(node.left, ast.List) or isinstance(node.right, ast.List)
    ):
        return collections_of.repeat(node, scope, wanted)
    hint = wanted if isinstance(wanted, WordT | ListT) else None
    left, right = expression(node.left, scope, hint), expression(node.right, scope, hint)
    if isinstance(node.op, ast.Add) and isinstance(left.type, ListT):
        return collections_of.concat(left, right, at)
    if type(node.op) in ARITHMETIC:
        return arithmetic(ARITHMETIC[type(node.op)], left, right, scope, node)
    if type(node.op) in BITS:
        return bitwise(BITS[type(node.op)], left, right, scope, node)
    raise refuse(at, f"operator {type(node.op).__name__}", "use // for integers")


def _power(node: ast.BinOp, scope: Scope) -> Expr:
    at = scope.at(node)
    base, exponent = expression(node.left, scope), expression(node.right, scope)
    if isinstance(exponent, Lit) and isinstance(exponent.value, int) and is_integer(base.type):
        count = exponent.value
        if isinstance(base, Lit) and isinstance(base.value, int) and 0 <= count <= 256:
            value = base.value**count
            if value.bit_length() <= 512:
                return Lit(INT, at, value)
        elif 1 <= count <= 4:
            result = base
            for _ in range(count - 1):
                result = arithmetic("*", result, base, scope, node)
            return result
    raise refuse(at, "this power", "literal operands, or a literal exponent from 1 to 4")


def _unary(node: ast.UnaryOp, scope: Scope, wanted: Type | None) -> Expr:
    at = scope.at(node)
    if isinstance(node.op, ast.Not):
        return Not(BOOL, at, condition(node.operand, scope))
    number = node.operand.value if isinstance(node.operand, ast.Constant) else None
    if isinstance(node.op, ast.USub) and type(number) is int:
        kind = wanted if isinstance(wanted, WordT) and fits(-number, wanted) else INT
        return Lit(kind, at, -number)
    item = integer(expression(node.operand, scope, wanted), at)
    if isinstance(node.op, ast.UAdd):
        return item
    if isinstance(node.op, ast.Invert):
        if isinstance(item.type, WordT) and item.type.signed:
            scope.bits[0] = True
            return Inv(item.type, at, item)
        raise refuse(at, f"~ on {item.type}", "write x ^ u32.MAX for an unsigned x", "type")
    if isinstance(item, Lit) and isinstance(item.type, IntT) and isinstance(item.value, int):
        return Lit(INT, at, -item.value)
    if scope.mode == "spec":
        return Neg(INT, at, mathematical(item))
    return Neg(item.type, at, item)


def _boolean(node: ast.BoolOp, scope: Scope, wanted: Type | None) -> Expr:
    items = tuple(condition(v, scope) for v in node.values)
    make = And if isinstance(node.op, ast.And) else Or
    return make(BOOL, scope.at(node), items)


def _compare(node: ast.Compare, scope: Scope, wanted: Type | None) -> Expr:
    parts: list[Expr] = []
    before: ast.expr = node.left
    for op, after in zip(node.ops, node.comparators, strict=True):
        parts.append(_comparison(op, before, after, scope, node))
        before = after
    return parts[0] if len(parts) == 1 else And(BOOL, scope.at(node), tuple(parts))


def _comparison(op: ast.cmpop, one: ast.expr, two: ast.expr, scope: Scope, node: ast.AST) -> Expr:
    at = scope.at(one)
    if isinstance(op, ast.Is | ast.IsNot):
        if not (isinstance(two, ast.Constant) and two.value is None):
            raise refuse(at, "`is` compares identities", "use ==, or `is None`")
        item = expression(one, scope)
        if not isinstance(item.type, OptionT):
            raise refuse(at, f"a {item.type} is never None", "drop the comparison", "type")
        test: Expr = IsNone(BOOL, at, item)
        return test if isinstance(op, ast.Is) else Not(BOOL, at, test)
    if isinstance(op, ast.In | ast.NotIn):
        inside = collections_of.contains(expression(one, scope), expression(two, scope), at)
        return inside if isinstance(op, ast.In) else Not(BOOL, at, inside)
    left = expression(one, scope)
    right = expression(two, scope, left.type)
    if isinstance(left, Lit | Build):
        left = expression(one, scope, right.type)
    return compared(op, left, right, at)


def _choice(node: ast.IfExp, scope: Scope, wanted: Type | None) -> Expr:
    at = scope.at(node)
    test = condition(node.test, scope)
    yes, no = expression(node.body, scope, wanted), expression(node.orelse, scope, wanted)
    if is_integer(yes.type) and is_integer(no.type):
        yes, no, kind = together(yes, no)
        return Choice(kind, at, test, yes, no)
    if isinstance(yes.type, NoneT) != isinstance(no.type, NoneT):
        other = no.type if isinstance(yes.type, NoneT) else yes.type
        kind = other if isinstance(other, OptionT) else OptionT(other)
        return Choice(kind, at, test, coerce(yes, kind, at), coerce(no, kind, at))
    if isinstance(no.type, OptionT):
        yes = coerce(yes, no.type, at)
    no = coerce(no, yes.type, at)
    if is_mutable(yes.type):
        for branch in (yes, no):
            collections_of.check_fresh(branch, scope)
    return Choice(yes.type, at, test, yes, no)


def _tuple(node: ast.Tuple, scope: Scope, wanted: Type | None) -> Expr:
    at = scope.at(node)
    hints: tuple[Type | None, ...] = (None,) * len(node.elts)
    if isinstance(wanted, TupleT) and len(wanted.items) == len(node.elts):
        hints = wanted.items
    items = tuple(expression(e, scope, h) for e, h in zip(node.elts, hints, strict=True))
    if not 1 <= len(items) <= 8:
        raise refuse(at, f"a tuple of {len(items)}", "1 to 8 members")
    for item in items:
        if is_mutable(item.type):
            raise refuse(at, f"a {item.type} in a tuple would be shared", "use a record", "alias")
        if isinstance(item.type, NoneT):
            raise refuse(at, "None in a tuple", "annotate the variable that takes it", "type")
    return Build(TupleT(tuple(i.type for i in items)), at, items)


def _subscript(node: ast.Subscript, scope: Scope, wanted: Type | None) -> Expr:
    item = expression(node.value, scope)
    if isinstance(item.type, OptionT):
        item = coerce(item, item.type.item, item.at)
    if isinstance(item.type, TupleT):
        index = node.slice
        value = index.value if isinstance(index, ast.Constant) else None
        if type(value) is int and 0 <= value < len(item.type.items):
            return Item(item.type.items[value], scope.at(node), item, value)
        raise refuse(scope.at(node), "a tuple's index", "a literal from 0 to its length - 1")
    return collections_of.subscript(item, node, scope)


def _list(node: ast.List, scope: Scope, wanted: Type | None) -> Expr:
    return collections_of.list_literal(node, scope, wanted)


def _call(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    from certune.verifier.contracts import calls

    return calls.call(node, scope, wanted)


def _comprehension(node: ast.ListComp, scope: Scope, wanted: Type | None) -> Expr:
    return collections_of.comprehension(node, scope, wanted)


def _dict(node: ast.Dict, scope: Scope, wanted: Type | None) -> Expr:
    return collections_of.empty_dict(node, scope, wanted)


_HANDLERS: dict[type[ast.expr], Callable[..., Expr]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _choice,
    ast.Tuple: _tuple,
    ast.Subscript: _subscript,
    ast.List: _list,
    ast.Call: _call,
    ast.ListComp: _comprehension,
    ast.Dict: _dict,
}
_REMEDIES: dict[type[ast.expr], str] = {
    ast.Lambda: "write a function with @spec",
    ast.NamedExpr: "assign in a statement of its own",
    ast.Set: "write set() and add",
    ast.JoinedStr: "there are no strings",
    ast.GeneratorExp: "only as the argument of all, any or sum",
    ast.Await: "there is no concurrency",
}

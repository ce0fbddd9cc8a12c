"""Calls: builtins, the library, records, functions by contract, methods."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Literal

from certune.core.errors import nearest
from certune.verifier.contracts import collections_of as lists
from certune.verifier.contracts.coerce import coerce, fits, integer, mathematical
from certune.verifier.contracts.expressions import condition, expression
from certune.verifier.contracts.report import Place
from certune.verifier.contracts.scope import Scope, Signature
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.tree import (
    Abs,
    Bin,
    Build,
    Call,
    Copy,
    Empty,
    Expr,
    Extreme,
    Field,
    Implies,
    Index,
    Len,
    Lit,
    Lookup,
    Neg,
    Old,
    Permutation,
    Var,
    Wrap,
    WrapShl,
)
from certune.verifier.contracts.types import (
    BOOL,
    INT,
    WORDS,
    DictT,
    ListT,
    RecordT,
    SetT,
    Type,
    WordT,
    is_integer,
    is_mutable,
)

_STATEMENT = "call it as a statement, or as the whole right-hand side of an assignment"


def call(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    """A call as an expression.

    Raises:
        Refused: what is called is unknown, changes something, or gets wrong arguments.
    """
    at = scope.at(node)
    if isinstance(node.func, ast.Attribute):
        return _method(node, node.func, scope)
    if not isinstance(node.func, ast.Name):
        raise refuse(at, "a call of something computed", "call functions by name")
    name = node.func.id
    if name in scope.variables or name in scope.binders:
        raise refuse(at, f"{name!r} is a variable", "call functions by name")
    if name in WORDS and name in scope.names.library:
        return _conversion(WORDS[name], _arguments(node, scope, 1)[0], at)
    if name in _BUILTINS:
        return _BUILTINS[name](node, scope, wanted)
    if name in _LIBRARY and name in scope.names.library:
        return _LIBRARY[name](node, scope, wanted)
    if name in scope.names.records:
        return _record(scope.names.records[name], node, scope)
    if name in scope.names.functions:
        made = by_contract(scope.names.functions[name], node, scope)
        signature = scope.names.functions[name]
        if signature.modifies:
            raise refuse(at, f"{name} modifies its arguments", _STATEMENT, "effects")
        if signature.role == "lemma":
            raise refuse(at, f"{name} is a lemma; it has no value", "call it as a statement")
        return made
    known = [*_BUILTINS, *scope.names.records, *scope.names.functions]
    raise refuse(at, f"{name[:40]!r} is unknown", nearest(name, known), "name")


def by_contract(signature: Signature, node: ast.Call, scope: Scope) -> Call:
    """The call of a function with its arguments coerced; effects are the caller's to judge."""
    at = scope.at(node)
    if scope.mode == "spec" and signature.role == "code":
        raise refuse(
            at,
            f"{signature.name} is no specification function",
            "contracts and annotations may call functions with @spec only",
            "spec",
        )
    if len(node.args) > len(signature.parameters):
        raise refuse(at, "too many arguments", f"{signature.name} has {len(signature.parameters)}")
    given: dict[str, ast.expr] = {}
    for (name, _), argument in zip(signature.parameters, node.args, strict=False):
        given[name] = argument
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg in given:
            raise refuse(at, "an argument given twice or by **", "give each once")
        given[keyword.arg] = keyword.value
    wanted = [name for name, _ in signature.parameters]
    for name in given:
        if name not in wanted:
            raise refuse(at, f"no parameter {name[:40]!r}", nearest(name, wanted))
    arguments = []
    for name, kind in signature.parameters:
        if name not in given:
            raise refuse(at, f"argument {name!r} is missing", "there are no defaults")
        value = expression(given[name], scope, kind)
        arguments.append(coerce(value, kind, scope.at(given[name]), f"for {name}"))
    _check_owners(signature, arguments, at)
    scope.calls.add(signature.name)
    return Call(signature.result, at, signature.name, tuple(arguments))


def root_of(expr: Expr) -> str | None:
    """The variable that a place lies in, None if the expression is no place."""
    while isinstance(expr, Index | Field | Lookup):
        expr = expr.item
    return expr.name if isinstance(expr, Var) else None


def _check_owners(signature: Signature, arguments: list[Expr], at: Place) -> None:
    seen: set[str] = set()
    for (name, kind), argument in zip(signature.parameters, arguments, strict=True):
        if not is_mutable(kind):
            continue
        root = root_of(argument)
        if root is not None and root in seen and signature.modifies:
            raise refuse(
                at, f"{root!r} is passed twice to a function that modifies", "pass a copy", "alias"
            )
        if root is not None:
            seen.add(root)
        if name in signature.modifies and root is None and isinstance(argument, Old):
            raise refuse(at, "old(…) would be modified", "pass a copy", "alias")


def _arguments(node: ast.Call, scope: Scope, count: int) -> list[Expr]:
    if len(node.args) != count or node.keywords:
        raise refuse(scope.at(node), f"{len(node.args)} arguments", f"it takes {count}")
    return [expression(a, scope) for a in node.args]


def _conversion(word: WordT, item: Expr, at: Place) -> Expr:
    item = integer(item, at)
    return coerce(item, word, at)


def _record(kind: RecordT, node: ast.Call, scope: Scope) -> Expr:
    fields = Signature(kind.name, "spec", kind.fields, {}, kind, scope.at(node))
    made = by_contract(fields, node, scope)
    scope.calls.discard(kind.name)
    for argument in made.arguments:
        if scope.moved is not None and isinstance(argument, Var) and is_mutable(argument.type):
            scope.moved.append(argument.name)  # a local that `return` gives away
            continue
        lists.check_fresh(argument, scope)
        lists.owned_slice(argument)
    return Build(kind, made.at, made.arguments)


def _len(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    item = _arguments(node, scope, 1)[0]
    if not isinstance(item.type, ListT | DictT | SetT):
        raise refuse(scope.at(node), f"len of a {item.type}", "lists, dictionaries and sets")
    return Len(INT, scope.at(node), item)


def _abs(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    at = scope.at(node)
    item = integer(_arguments(node, scope, 1)[0], at)
    return Abs(INT, at, mathematical(item))


def _extreme(op: Literal["min", "max"]) -> Callable[[ast.Call, Scope, Type | None], Expr]:
    def make(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
        at = scope.at(node)
        if len(node.args) < 2 or node.keywords:
            raise refuse(at, f"{op} of a list", f"write a loop, or {op}(a, b)")
        items = [integer(expression(a, scope, wanted), at) for a in node.args]
        kinds = {i.type for i in items if not isinstance(i, Lit)} or {INT}
        kind = kinds.pop() if len(kinds) == 1 else INT
        if isinstance(kind, WordT):
            numbers = [i.value for i in items if isinstance(i, Lit)]
            if not all(isinstance(n, int) and fits(n, kind) for n in numbers):
                kind = INT
        return Extreme(kind, at, op, tuple(coerce(i, kind, at) for i in items))

    return make


def _quantifier(op: Literal["all", "any"]) -> Callable[[ast.Call, Scope, Type | None], Expr]:
    def make(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
        return lists.quantifier(op, node, scope)

    return make


def _sum(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    return lists.total(node, scope)


def _int(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    return mathematical(integer(_arguments(node, scope, 1)[0], scope.at(node)))


def _list(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    item = _arguments(node, scope, 1)[0]
    if not isinstance(item.type, ListT):
        raise refuse(scope.at(node), f"list of a {item.type}", "list(xs) copies a list")
    return _copy(item, scope.at(node))


def _copy(item: Expr, at: Place) -> Expr:
    made = Copy(item.type, at, item)
    lists.owned_slice(made)
    return made


def _set(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    if node.args or node.keywords or not isinstance(wanted, SetT):
        raise refuse(scope.at(node), "this set(…)", "write s: set[int] = set()", "type")
    return Empty(wanted, scope.at(node))


def _old(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    at = scope.at(node)
    name = node.args[0].id if len(node.args) == 1 and isinstance(node.args[0], ast.Name) else ""
    if name not in scope.old or node.keywords:
        remedy = "old(p) of a parameter, in ensure or an annotation; then old(p).field or old(p)[i]"
        raise refuse(at, "this use of old", remedy, "old")
    if not scope.annotation:
        raise refuse(at, "old in code", "only contracts and annotations look back", "ghost")
    return Old(scope.old[name], at, name)


def _implies(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    if len(node.args) != 2 or node.keywords:
        raise refuse(scope.at(node), "implies of other than two", "implies(p, q)")
    left, right = (condition(a, scope) for a in node.args)
    return Implies(BOOL, scope.at(node), left, right)


def _permutation(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    at = scope.at(node)
    left, right = _arguments(node, scope, 2)
    if not (isinstance(left.type, ListT) and is_integer(left.type.item)):
        raise refuse(at, f"permutation of a {left.type}", "lists of integers")
    return Permutation(BOOL, at, left, coerce(right, left.type, at))


def _ghost(node: ast.Call, scope: Scope, wanted: Type | None) -> Expr:
    raise refuse(
        scope.at(node), "ghost within an expression", "write g = ghost(e) as a statement", "ghost"
    )


_BUILTINS: dict[str, Callable[[ast.Call, Scope, Type | None], Expr]] = {
    "len": _len,
    "abs": _abs,
    "min": _extreme("min"),
    "max": _extreme("max"),
    "all": _quantifier("all"),
    "any": _quantifier("any"),
    "sum": _sum,
    "int": _int,
    "list": _list,
    "set": _set,
}
_LIBRARY: dict[str, Callable[[ast.Call, Scope, Type | None], Expr]] = {
    "old": _old,
    "implies": _implies,
    "permutation": _permutation,
    "ghost": _ghost,
}


def _method(node: ast.Call, func: ast.Attribute, scope: Scope) -> Expr:
    at = scope.at(node)
    base = func.value.id if isinstance(func.value, ast.Name) else ""
    if base in WORDS and base in scope.names.library:
        return _wrapping(WORDS[base], func.attr, node, scope)
    item = expression(func.value, scope)
    if isinstance(item.type, ListT) and func.attr == "copy":
        _arguments(node, scope, 0)
        return _copy(item, at)
    if isinstance(item.type, ListT) and func.attr == "count":
        return lists.sum_over(item, scope, at, _arguments(node, scope, 1)[0])
    if isinstance(item.type, DictT | SetT) and func.attr == "copy":
        _arguments(node, scope, 0)
        return Copy(item.type, at, item)
    if isinstance(item.type, DictT) and func.attr == "get":
        key, default = _arguments(node, scope, 2)
        key = mathematical(integer(key, at))
        return Lookup(item.type.value, at, item, key, coerce(default, item.type.value, at))
    if func.attr in ("append", "pop", "clear", "add", "discard", "remove"):
        raise refuse(at, f".{func.attr}() within an expression", _STATEMENT, "effects")
    raise refuse(at, f"a {item.type} has no method {func.attr[:40]!r}", "see docs/code.md")


def _wrapping(word: WordT, name: str, node: ast.Call, scope: Scope) -> Expr:
    at = scope.at(node)
    counts = {"wrap": 1, "wrapping_neg": 1}
    if name not in (
        "wrap",
        "wrapping_neg",
        "wrapping_add",
        "wrapping_sub",
        "wrapping_mul",
        "wrapping_shl",
    ):
        raise refuse(at, f"{word}.{name[:40]}", "wrap, wrapping_add, _sub, _mul, _neg, _shl")
    items = [integer(a, at) for a in _arguments(node, scope, counts.get(name, 2))]
    if name == "wrapping_shl":
        scope.bits[0] = True
        return WrapShl(word, at, coerce(items[0], word, at), items[1])
    plain = [mathematical(i) for i in items]
    if name == "wrap":
        return Wrap(word, at, plain[0])
    if name == "wrapping_neg":
        return Wrap(word, at, Neg(INT, at, plain[0]))
    ops: dict[str, Literal["+", "-", "*"]] = {"add": "+", "sub": "-", "mul": "*"}
    return Wrap(word, at, Bin(INT, at, ops[name.rpartition("_")[2]], plain[0], plain[1]))

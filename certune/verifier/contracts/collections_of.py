"""Lists, dictionaries and sets: literals, indices, slices, comprehensions, quantifiers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from certune.verifier.contracts.coerce import coerce, integer, mathematical
from certune.verifier.contracts.operators import compared
from certune.verifier.contracts.report import Place
from certune.verifier.contracts.scope import Scope, check_name
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.tree import (
    Bin,
    Binder,
    Build,
    Call,
    Choice,
    Comprehension,
    Concat,
    Contains,
    Copy,
    Empty,
    Expr,
    Index,
    Len,
    Lit,
    Lookup,
    Quantifier,
    Repeat,
    Slice,
    Sum,
    Var,
)
from certune.verifier.contracts.types import (
    BOOL,
    INT,
    DictT,
    ListT,
    NoneT,
    SetT,
    Type,
    is_integer,
    is_mutable,
)

_COPY = "write a copy, such as xs[:]"


def _expression(node: ast.expr, scope: Scope, wanted: Type | None = None) -> Expr:
    from certune.verifier.contracts.expressions import expression

    return expression(node, scope, wanted)


def check_fresh(expr: Expr, scope: Scope) -> None:
    """Refuse an expression whose mutable value something else owns.

    Raises:
        Refused: storing it would make an alias.
    """
    if not is_mutable(expr.type):
        return
    if isinstance(expr, Build | Repeat | Concat | Copy | Slice | Comprehension | Call | Empty):
        return
    if isinstance(expr, Choice):
        return  # its branches were checked when it was made
    raise refuse(expr.at, f"this {expr.type} would have two owners", _COPY, "alias")


def list_literal(node: ast.List, scope: Scope, wanted: Type | None) -> Expr:
    """``[a, b, …]``."""
    at = scope.at(node)
    hint = wanted.item if isinstance(wanted, ListT) else None
    if not node.elts:
        if hint is None:
            raise refuse(at, "an empty list of unknown type", "write xs: list[int] = []", "type")
        return Build(ListT(hint), at, ())
    if len(node.elts) > 256:
        raise refuse(at, f"a literal of {len(node.elts)} elements", "at most 256")
    items = [_expression(e, scope, hint) for e in node.elts]
    kind = hint or items[0].type
    if hint is None and is_integer(kind):
        kinds = {i.type for i in items}
        kind = kinds.pop() if len(kinds) == 1 else INT
    if isinstance(kind, NoneT):
        raise refuse(at, "a list of None", "annotate the variable", "type")
    done = []
    for item in items:
        check_fresh(item, scope)
        done.append(coerce(item, kind, item.at, "in the list"))
    return Build(ListT(kind), at, tuple(done))


def repeat(node: ast.BinOp, scope: Scope, wanted: Type | None) -> Expr:
    """``[e] * n`` or ``n * [e]``."""
    at = scope.at(node)
    flipped = isinstance(node.right, ast.List)
    literal, times = (node.right, node.left) if flipped else (node.left, node.right)
    assert isinstance(literal, ast.List)
    if len(literal.elts) != 1:
        raise refuse(at, "a repeated list of several elements", "write [e] * n")
    hint = wanted.item if isinstance(wanted, ListT) else None
    item = _expression(literal.elts[0], scope, hint)
    if hint is not None:
        item = coerce(item, hint, item.at)
    if is_mutable(item.type):
        raise refuse(at, "the same list n times", "write [[0] * m for _ in range(n)]", "alias")
    count = mathematical(integer(_expression(times, scope), at))
    return Repeat(ListT(item.type), at, item, count)


def concat(left: Expr, right: Expr, at: Place) -> Expr:
    """``xs + ys``."""
    assert isinstance(left.type, ListT)
    right = coerce(right, left.type, at)
    if is_mutable(left.type.item):
        raise refuse(at, "the parts of nested lists would be shared", "build a new list", "alias")
    return Concat(left.type, at, left, right)


def subscript(item: Expr, node: ast.Subscript, scope: Scope) -> Expr:
    """``xs[i]``, ``xs[a:b]``, ``d[k]``."""
    at = scope.at(node)
    if isinstance(item.type, DictT):
        key = coerce(_expression(node.slice, scope, item.type.key), item.type.key, at, "as a key")
        return Lookup(item.type.value, at, item, key)
    if not isinstance(item.type, ListT):
        raise refuse(at, f"a {item.type} has no elements", "index lists, tuples, dictionaries")
    if isinstance(node.slice, ast.Slice):
        return _slice(item, node.slice, scope, at)
    return Index(item.type.item, at, item, index_of(item, node.slice, scope))


def index_of(item: Expr, node: ast.expr, scope: Scope) -> Expr:
    """The index that `node` means: a negative literal counts from the end."""
    index = mathematical(integer(_expression(node, scope), scope.at(node), "as an index"))
    if isinstance(index, Lit) and isinstance(index.value, int) and index.value < 0:
        return Bin(INT, index.at, "+", Len(INT, index.at, item), index)
    return index


def _slice(item: Expr, node: ast.Slice, scope: Scope, at: Place) -> Expr:
    if node.step is not None:
        raise refuse(at, "a slice with a step", "write a comprehension over range(a, b, s)")
    assert isinstance(item.type, ListT)
    low: Expr = Lit(INT, at, 0)
    high: Expr = Len(INT, at, item)
    if node.lower is not None:
        low = index_of(item, node.lower, scope)
    if node.upper is not None:
        high = index_of(item, node.upper, scope)
    return Slice(item.type, at, item, low, high)


def owned_slice(expr: Expr) -> None:
    """Refuse to keep a slice of lists of lists: its rows would be shared."""
    if (
        isinstance(expr, Slice | Copy)
        and isinstance(expr.type, ListT)
        and is_mutable(expr.type.item)
    ):
        raise refuse(
            expr.at, "a copy whose rows are shared", "write [row[:] for row in m]", "alias"
        )


def empty_dict(node: ast.Dict, scope: Scope, wanted: Type | None) -> Expr:
    """``{}``."""
    at = scope.at(node)
    if node.keys:
        raise refuse(at, "a dictionary literal with members", "begin with {} and assign")
    if not isinstance(wanted, DictT):
        raise refuse(at, "{} of unknown type", "write d: dict[int, int] = {}", "type")
    return Empty(wanted, at)


def contains(key: Expr, item: Expr, at: Place) -> Expr:
    """``key in item``."""
    if isinstance(item.type, ListT):
        key = coerce(key, item.type.item, at)
        if is_mutable(key.type):
            raise refuse(at, f"`in` for a {key.type}", "write any(…)")
    elif isinstance(item.type, DictT | SetT):
        key = mathematical(integer(key, at))
    else:
        raise refuse(at, f"`in` for a {item.type}", "lists, dictionaries and sets have members")
    return Contains(BOOL, at, item, key)


@contextmanager
def bound(comp: ast.comprehension, scope: Scope, *, keys: bool) -> Iterator[Binder]:
    """Within: the names that one generator clause binds, and the binder with its conditions."""
    if comp.is_async:
        raise refuse(scope.at(comp.target), "async", "there is no concurrency")
    low: Expr | None = None
    high: Expr | None = None
    over: Expr | None = None
    counted: ast.expr | None = comp.target
    element: ast.expr | None = None
    kind: Type = INT
    source = comp.iter
    called = (
        source.func.id if isinstance(source, ast.Call) and isinstance(source.func, ast.Name) else ""
    )
    at = scope.at(comp.iter)
    if called == "range":
        assert isinstance(source, ast.Call)
        low, high, step = range_of(source, scope)
        if step != 1:
            raise refuse(at, "a step here", "use range(a, b) and an `if`")
    else:
        if called == "enumerate" and isinstance(source, ast.Call):
            if len(source.args) != 1 or source.keywords:
                raise refuse(at, "enumerate with a start", "write enumerate(xs)")
            if not (isinstance(comp.target, ast.Tuple) and len(comp.target.elts) == 2):
                raise refuse(at, "enumerate without two names", "write for i, x in enumerate(xs)")
            counted, element = comp.target.elts
            over = _expression(source.args[0], scope)
        else:
            counted, element = None, comp.target
            over = _expression(source, scope)
        if isinstance(over.type, DictT | SetT) and called != "enumerate":
            if not keys:
                raise refuse(at, f"a {over.type} here", "only all and any go over keys")
            counted, element, kind = comp.target, None, over.type.key
        elif isinstance(over.type, ListT):
            low, high = Lit(INT, at, 0), Len(INT, at, over)
        else:
            raise refuse(at, f"going over a {over.type}", "range, lists, enumerate, keys")
    saved = dict(scope.binders), dict(scope.elements)
    try:
        index = _bind(counted, scope, kind) if counted is not None else scope.fresh("i")
        inner = ""
        if element is not None:
            assert over is not None
            assert isinstance(over.type, ListT)
            inner = _bind(element, scope, over.type.item)
            scope.elements[inner] = Index(over.type.item, at, over, Var(INT, at, index))
        tests = tuple(coerce(_expression(t, scope, BOOL), BOOL, scope.at(t)) for t in comp.ifs)
        is_list = low is not None
        yield Binder(
            index,
            kind,
            low,
            high,
            None if is_list else over,
            over if is_list else None,
            inner,
            tests,
        )
    finally:
        scope.binders, scope.elements = saved


def _bind(node: ast.expr, scope: Scope, kind: Type) -> str:
    if not isinstance(node, ast.Name):
        raise refuse(scope.at(node), "a pattern", "bind one name")
    if node.id != "_":
        check_name(node.id, node, scope.names.file, "bound variable")
        if scope.names.defined(node.id) or node.id in scope.binders:
            raise refuse(
                scope.at(node), f"{node.id!r} is bound already", "choose another name", "shadowing"
            )
    inner = scope.fresh(node.id)
    scope.binders[node.id] = (inner, kind)
    return inner


def range_of(node: ast.Call, scope: Scope) -> tuple[Expr, Expr, int]:
    """The bounds and the step of a `range`."""
    at = scope.at(node)
    if node.keywords or not 1 <= len(node.args) <= 3:
        raise refuse(at, "this range", "range(n), range(a, b) or range(a, b, literal)")
    parts = [mathematical(integer(_expression(a, scope), scope.at(a))) for a in node.args]
    if len(parts) == 1:
        return Lit(INT, at, 0), parts[0], 1
    step = parts[2] if len(parts) == 3 else Lit(INT, at, 1)
    if not isinstance(step, Lit) or not isinstance(step.value, int) or step.value == 0:
        raise refuse(at, "a step that is no literal", "range(a, b, 2) or range(a, b, -1)")
    return parts[0], parts[1], step.value


def quantifier(op: Literal["all", "any"], node: ast.Call, scope: Scope) -> Expr:
    """``all(p for …)``, ``any(p for …)``."""
    at = scope.at(node)
    argument = _generator(node, scope, op)

    def inner(clauses: list[ast.comprehension], binders: tuple[Binder, ...]) -> Expr:
        if clauses:
            with bound(clauses[0], scope, keys=True) as binder:
                return inner(clauses[1:], (*binders, binder))
        body = coerce(_expression(argument.elt, scope, BOOL), BOOL, scope.at(argument.elt))
        return Quantifier(BOOL, at, op, binders, body)

    if len(argument.generators) > 4:
        raise refuse(at, "more than 4 clauses", "write a specification function")
    return inner(argument.generators, ())


def _generator(node: ast.Call, scope: Scope, name: str) -> ast.GeneratorExp:
    if len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.GeneratorExp):
        return node.args[0]
    raise refuse(scope.at(node), f"{name} of this", f"write {name}(p for i in range(a, b))")


def total(node: ast.Call, scope: Scope) -> Expr:
    """``sum(…)`` of a list, a slice or a generator."""
    at = scope.at(node)
    if len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.GeneratorExp):
        return sum_over(_expression(node.args[0], scope), scope, at)
    argument = _generator(node, scope, "sum")
    if len(argument.generators) != 1:
        raise refuse(at, "sum with several clauses", "write a specification function")
    with bound(argument.generators[0], scope, keys=False) as binder:
        with scope.spec_mode():
            body = mathematical(integer(_expression(argument.elt, scope), scope.at(argument.elt)))
        return Sum(INT, at, binder, body)


def sum_over(item: Expr, scope: Scope, at: Place, counted: Expr | None = None) -> Expr:
    """The sum of a list's numbers, or how often `counted` is among its elements."""
    if not isinstance(item.type, ListT) or (counted is None and not is_integer(item.type.item)):
        raise refuse(at, f"this of a {item.type}", "it needs a list of integers")
    low, high, source = ends(item, at)
    name = scope.fresh("i")
    element = Index(item.type.item, at, source, Var(INT, at, name))
    if counted is None:
        binder = Binder(name, INT, low, high, source=item, before=(item,))
        return Sum(INT, at, binder, mathematical(element))
    counted = coerce(counted, item.type.item, at)
    binder = Binder(name, INT, low, high, source=item, before=(item, counted))
    test = compared(ast.Eq(), element, counted, at)
    one, zero = Lit(INT, at, 1), Lit(INT, at, 0)
    return Sum(INT, at, binder, Choice(INT, at, test, one, zero))


def ends(item: Expr, at: Place) -> tuple[Expr, Expr, Expr]:
    """The indices between which `item` lies in the list that it is a slice of, and that list."""
    if isinstance(item, Slice):
        return item.low, item.high, item.item
    return Lit(INT, at, 0), Len(INT, at, item), item


def comprehension(node: ast.ListComp, scope: Scope, wanted: Type | None) -> Expr:
    """``[e for i in range(a, b)]``, ``[e for x in xs]``."""
    at = scope.at(node)
    if len(node.generators) != 1 or node.generators[0].ifs:
        raise refuse(at, "a comprehension with a filter or several clauses", "write a loop")
    with bound(node.generators[0], scope, keys=False) as binder:
        hint = wanted.item if isinstance(wanted, ListT) else None
        body = _expression(node.elt, scope, hint)
        if hint is not None:
            body = coerce(body, hint, body.at)
        check_fresh(body, scope)
        owned_slice(body)
        if isinstance(body.type, NoneT):
            raise refuse(at, "a list of None", "annotate the variable", "type")
    return Comprehension(ListT(body.type), at, binder, body)

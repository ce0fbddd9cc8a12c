"""From one type to another where the language does it by itself."""

from __future__ import annotations

from certune.verifier.contracts.report import Place
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.tree import Build, Choice, Convert, Expr, Lit, Some, Unwrap
from certune.verifier.contracts.types import (
    INT,
    IntT,
    ListT,
    NoneT,
    OptionT,
    TupleT,
    Type,
    WordT,
    is_integer,
)


def fits(value: int, kind: WordT) -> bool:
    """Whether the integer is a member of the type."""
    return kind.low <= value <= kind.high


def coerce(expr: Expr, kind: Type, at: Place, what: str = "here") -> Expr:
    """`expr` as a value of type `kind`.

    Raises:
        Refused: no value of its type is one of `kind`.
    """
    have = expr.type
    if have == kind:
        return expr
    if isinstance(expr, Lit) and isinstance(expr.value, int) and isinstance(kind, WordT):
        if not is_integer(have):
            raise _mismatch(have, kind, at, what)
        if not fits(expr.value, kind):
            raise refuse(at, f"{expr.value} does not fit into {kind}")
        return Lit(kind, expr.at, expr.value)
    if is_integer(have) and is_integer(kind):
        if isinstance(expr, Choice):
            return Choice(
                kind, expr.at, expr.test, coerce(expr.yes, kind, at), coerce(expr.no, kind, at)
            )
        return Convert(kind, expr.at, expr)
    if isinstance(kind, OptionT):
        if isinstance(have, NoneT):
            return Lit(kind, expr.at, None)
        if isinstance(have, OptionT):
            if isinstance(expr, Lit):
                return Lit(kind, expr.at, None)
            raise _mismatch(have, kind, at, what)
        if isinstance(expr, Choice):
            return Choice(
                kind, expr.at, expr.test, coerce(expr.yes, kind, at), coerce(expr.no, kind, at)
            )
        return Some(kind, expr.at, coerce(expr, kind.item, at, what))
    if isinstance(have, OptionT):
        return coerce(Unwrap(have.item, expr.at, expr), kind, at, what)
    if (
        isinstance(kind, TupleT)
        and isinstance(have, TupleT)
        and isinstance(expr, Build)
        and len(kind.items) == len(have.items)
    ):
        items = tuple(coerce(e, t, at, what) for e, t in zip(expr.items, kind.items, strict=True))
        return Build(kind, expr.at, items)
    if isinstance(kind, ListT) and isinstance(have, ListT) and isinstance(expr, Build):
        return Build(kind, expr.at, tuple(coerce(e, kind.item, at, what) for e in expr.items))
    raise _mismatch(have, kind, at, what)


def _mismatch(have: Type, kind: Type, at: Place, what: str) -> Exception:
    remedy = ""
    if str(kind) == "bool" and is_integer(have):
        remedy = "compare: write `… != 0`"
    return refuse(at, f"{what} stands a {have}, wanted is {kind}", remedy, "type")


def integer(expr: Expr, at: Place, what: str = "here") -> Expr:
    """`expr` as an integer of whichever width.

    Raises:
        Refused: it is none.
    """
    if is_integer(expr.type):
        return expr
    if isinstance(expr.type, OptionT) and is_integer(expr.type.item):
        return Unwrap(expr.type.item, expr.at, expr)
    raise _mismatch(expr.type, INT, at, what)


def mathematical(expr: Expr) -> Expr:
    """An integer as a mathematical one; free."""
    if isinstance(expr.type, IntT):
        return expr
    if isinstance(expr, Lit):
        return Lit(INT, expr.at, expr.value)
    return Convert(INT, expr.at, expr)


def together(left: Expr, right: Expr) -> tuple[Expr, Expr, Type]:
    """Two integers as operands of one type: of fixed width if both are, else `int`."""
    for a, b in ((left, right), (right, left)):
        if isinstance(a, Lit) and isinstance(b.type, WordT):
            assert isinstance(a.value, int)
            if isinstance(a.type, IntT) and fits(a.value, b.type):
                new = Lit(b.type, a.at, a.value)
                return (new, right, b.type) if a is left else (left, new, b.type)
    one, two = left.type, right.type
    if isinstance(one, WordT) and isinstance(two, WordT):
        for wide in (one, two):
            if all(wide.low <= w.low and w.high <= wide.high for w in (one, two)):
                at = left.at
                return coerce(left, wide, at), coerce(right, wide, at), wide
    return mathematical(left), mathematical(right), INT

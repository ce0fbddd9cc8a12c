"""Operators on typed operands: arithmetic, bits, comparisons."""

from __future__ import annotations

import ast
from typing import Literal, cast

from certune.verifier.contracts.coerce import coerce, integer, mathematical, together
from certune.verifier.contracts.scope import Scope
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.tree import Bin, Bit, Cmp, Expr, Lit, Same
from certune.verifier.contracts.types import (
    BOOL,
    INT,
    BoolT,
    IntT,
    NoneT,
    OptionT,
    WordT,
    is_integer,
)

ARITHMETIC: dict[type[ast.operator], Literal["+", "-", "*", "//", "%"]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
BITS: dict[type[ast.operator], Literal["&", "|", "^", "<<", ">>"]] = {
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}


def arithmetic(
    op: Literal["+", "-", "*", "//", "%"], left: Expr, right: Expr, scope: Scope, node: ast.AST
) -> Expr:
    """``left op right`` on integers."""
    at = scope.at(node)
    left, right = integer(left, at, f"left of {op}"), integer(right, at, f"right of {op}")
    folded = _fold(op, left, right)
    if folded is not None:
        return Lit(INT, at, folded)
    if scope.mode == "spec":
        return Bin(INT, at, op, mathematical(left), mathematical(right))
    left, right, kind = together(left, right)
    return Bin(kind, at, op, left, right)


def _fold(op: str, left: Expr, right: Expr) -> int | None:
    if not (isinstance(left, Lit) and isinstance(right, Lit)):
        return None
    if not (isinstance(left.type, IntT) and isinstance(right.type, IntT)):
        return None
    a, b = left.value, right.value
    if not isinstance(a, int) or not isinstance(b, int) or (op in ("//", "%") and b == 0):
        return None
    value = {"+": a + b, "-": a - b, "*": a * b}.get(op)
    if value is None:
        value = a // b if op == "//" else a % b
    return value if value.bit_length() <= 512 else None


def bitwise(
    op: Literal["&", "|", "^", "<<", ">>"], left: Expr, right: Expr, scope: Scope, node: ast.AST
) -> Expr:
    """``left op right`` on bits."""
    at = scope.at(node)
    if op in ("|", "^", "&") and isinstance(left.type, BoolT):
        raise refuse(at, f"{op} on truth values", "write and, or, !=")
    left, right = integer(left, at), integer(right, at)
    if op in ("<<", ">>"):
        return _shift(op, left, right, scope, node)
    left, right, kind = together(left, right)
    if isinstance(left, Lit) and isinstance(right, Lit) and isinstance(kind, IntT):
        a, b = left.value, right.value
        assert isinstance(a, int)
        assert isinstance(b, int)
        return Lit(INT, at, {"&": a & b, "|": a | b, "^": a ^ b}[op])
    if isinstance(kind, WordT):
        scope.bits[0] = True
        return Bit(kind, at, op, left, right)
    value = right.value if isinstance(right, Lit) else None
    if op == "&" and isinstance(value, int) and value > 0 and value & (value + 1) == 0:
        return Bin(INT, at, "%", left, Lit(INT, at, value + 1))
    raise refuse(
        at, f"{op} on {left.type}", "use a fixed-width type such as u64, or `& (2**k - 1)`", "type"
    )


def _shift(op: Literal["<<", ">>"], left: Expr, right: Expr, scope: Scope, node: ast.AST) -> Expr:
    at = scope.at(node)
    if isinstance(left.type, WordT):
        scope.bits[0] = True
        return Bit(left.type, at, op, left, right)
    if not isinstance(right, Lit) or not isinstance(right.value, int):
        raise refuse(at, f"int {op} a variable", "use a fixed-width type such as u64", "type")
    if not 0 <= right.value <= 256:
        raise refuse(at, f"a shift by {right.value}", "at most 256")
    power = Lit(INT, at, 1 << right.value)
    if isinstance(left, Lit) and isinstance(left.value, int):
        value = left.value << right.value if op == "<<" else left.value >> right.value
        return Lit(INT, at, value)
    return Bin(INT, at, "*" if op == "<<" else "//", left, power)


def compared(op: ast.cmpop, left: Expr, right: Expr, at: object) -> Expr:
    """``left op right``."""
    place = left.at
    if is_integer(left.type) and is_integer(right.type):
        left, right = mathematical(left), mathematical(right)
        if isinstance(op, ast.Gt | ast.GtE):
            return Cmp(BOOL, place, "<" if isinstance(op, ast.Gt) else "<=", right, left)
        name = {ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}[type(op)]
        return Cmp(BOOL, place, cast(Literal["<", "<=", "==", "!="], name), left, right)
    if not isinstance(op, ast.Eq | ast.NotEq):
        wanted = INT if not isinstance(left.type, OptionT) else left.type.item
        return compared(op, integer(left, place), coerce(right, wanted, place), at)
    if isinstance(right.type, NoneT) or isinstance(left.type, NoneT):
        raise refuse(place, "== None", "write `is None`")
    if isinstance(left.type, OptionT) or isinstance(right.type, OptionT):
        kind = left.type if isinstance(left.type, OptionT) else right.type
        left = coerce(left, kind, place)
        right = coerce(right, kind, place)
    else:
        right = coerce(right, left.type, place)
    return Same(BOOL, place, left, right, isinstance(op, ast.NotEq))

"""The expressions of the typed tree; `tree` has the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from certune.verifier.contracts.report import Place
from certune.verifier.contracts.types import Type


@dataclass(frozen=True)
class Expr:
    """Base of expressions: their type and where they stand."""

    type: Type
    at: Place


@dataclass(frozen=True)
class Lit(Expr):
    """An integer, a truth value or None."""

    value: int | bool | None


@dataclass(frozen=True)
class Var(Expr):
    """A parameter, a local variable, a binder or `result`."""

    name: str


@dataclass(frozen=True)
class Old(Expr):
    """A parameter as it was at entry."""

    name: str


@dataclass(frozen=True)
class Bin(Expr):
    """``+ - * // %``; of a fixed-width type where the result must fit, else mathematical."""

    op: Literal["+", "-", "*", "//", "%"]
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Bit(Expr):
    """``& | ^ << >>`` on two operands of the fixed-width type (the shift count any integer)."""

    op: Literal["&", "|", "^", "<<", ">>"]
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Neg(Expr):
    """``-e``."""

    item: Expr


@dataclass(frozen=True)
class Inv(Expr):
    """``~e`` of a signed fixed-width type."""

    item: Expr


@dataclass(frozen=True)
class Convert(Expr):
    """An integer as one of another integer type; that it fits is an obligation."""

    item: Expr


@dataclass(frozen=True)
class Wrap(Expr):
    """An integer modulo 2**bits, into the fixed-width type."""

    item: Expr


@dataclass(frozen=True)
class WrapShl(Expr):
    """``wrapping_shl``."""

    item: Expr
    count: Expr


@dataclass(frozen=True)
class Cmp(Expr):
    """``< <= == !=`` on integers."""

    op: Literal["<", "<=", "==", "!="]
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Same(Expr):
    """``==`` (or ``!=``) on two values of one type that is not an integer type."""

    left: Expr
    right: Expr
    negated: bool


@dataclass(frozen=True)
class And(Expr):
    """Conjunction, left to right."""

    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Or(Expr):
    """Disjunction, left to right."""

    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Not(Expr):
    """Negation."""

    item: Expr


@dataclass(frozen=True)
class Implies(Expr):
    """``implies(p, q)``: both evaluated."""

    left: Expr
    right: Expr


@dataclass(frozen=True)
class Choice(Expr):
    """``a if c else b``."""

    test: Expr
    yes: Expr
    no: Expr


@dataclass(frozen=True)
class IsNone(Expr):
    """``e is None``."""

    item: Expr


@dataclass(frozen=True)
class Some(Expr):
    """A value where an optional one is wanted."""

    item: Expr


@dataclass(frozen=True)
class Unwrap(Expr):
    """An optional value used as one that is there; an obligation."""

    item: Expr


@dataclass(frozen=True)
class Len(Expr):
    """``len`` of a list, dictionary or set."""

    item: Expr


@dataclass(frozen=True)
class Index(Expr):
    """``xs[i]``."""

    item: Expr
    index: Expr


@dataclass(frozen=True)
class Slice(Expr):
    """``xs[a:b]``."""

    item: Expr
    low: Expr
    high: Expr


@dataclass(frozen=True)
class Field(Expr):
    """``r.name``."""

    item: Expr
    name: str


@dataclass(frozen=True)
class Item(Expr):
    """``t[k]`` of a tuple."""

    item: Expr
    index: int


@dataclass(frozen=True)
class Build(Expr):
    """A tuple, record or list from its parts."""

    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Repeat(Expr):
    """``[e] * n``."""

    item: Expr
    count: Expr


@dataclass(frozen=True)
class Concat(Expr):
    """``xs + ys``."""

    left: Expr
    right: Expr


@dataclass(frozen=True)
class Copy(Expr):
    """A copy of a list, dictionary or set."""

    item: Expr


@dataclass(frozen=True)
class Extreme(Expr):
    """``min`` or ``max`` of two or more integers."""

    op: Literal["min", "max"]
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Abs(Expr):
    """``abs(e)``."""

    item: Expr


@dataclass(frozen=True)
class Binder:
    """``for name in range(low, high)``, or over the keys of a dictionary or set.

    What ranges over a list is a range of indices; `element` then names the element, which is
    ``source[name]``.

    `before` is what Python evaluates first, even where there is nothing to go over.
    """

    name: str
    type: Type
    low: Expr | None = None
    high: Expr | None = None
    keys: Expr | None = None
    source: Expr | None = None
    element: str = ""
    conditions: tuple[Expr, ...] = ()
    before: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Quantifier(Expr):
    """``all(…)`` or ``any(…)``."""

    op: Literal["all", "any"]
    binders: tuple[Binder, ...]
    body: Expr


@dataclass(frozen=True)
class Sum(Expr):
    """``sum(body for binder)``."""

    binder: Binder
    body: Expr


@dataclass(frozen=True)
class Comprehension(Expr):
    """``[body for binder]``."""

    binder: Binder
    body: Expr


@dataclass(frozen=True)
class Permutation(Expr):
    """``permutation(xs, ys)``."""

    left: Expr
    right: Expr


@dataclass(frozen=True)
class Contains(Expr):
    """``x in xs``, ``k in d``."""

    item: Expr
    key: Expr


@dataclass(frozen=True)
class Lookup(Expr):
    """``d[k]``, or ``d.get(k, default)``."""

    item: Expr
    key: Expr
    default: Expr | None = None


@dataclass(frozen=True)
class Empty(Expr):
    """``{}`` or ``set()``."""


@dataclass(frozen=True)
class Call(Expr):
    """A call of a function, by its full name."""

    function: str
    arguments: tuple[Expr, ...]

"""The typed tree: what a source means, after every name and type has been settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from certune.verifier.contracts.report import Place
from certune.verifier.contracts.types import RecordT, Type, WordT


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
    """

    name: str
    type: Type
    low: Expr | None = None
    high: Expr | None = None
    keys: Expr | None = None
    source: Expr | None = None
    element: str = ""
    conditions: tuple[Expr, ...] = ()


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


@dataclass(frozen=True)
class Stmt:
    """Base of statements; a ghost statement is erased."""

    at: Place
    ghost: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Target:
    """A variable, or a place within one: each step a field's name, an index or a key."""

    root: str
    steps: tuple[tuple[Literal["field", "index", "key"], str | Expr], ...]
    type: Type
    at: Place


@dataclass(frozen=True)
class Assign(Stmt):
    """Right-hand sides first, then the targets from left to right; `value` a tuple if unpacked."""

    targets: tuple[Target, ...]
    values: tuple[Expr, ...]
    unpack: bool = False


@dataclass(frozen=True)
class Update(Stmt):
    """``append``, ``clear``, ``add``, ``discard``, ``remove``, ``delete`` of the target."""

    op: Literal["append", "clear", "add", "discard", "remove", "delete"]
    target: Target
    value: Expr | None


@dataclass(frozen=True)
class Pop(Stmt):
    """``target.pop()`` of a list, its value assigned to `into` if that is given."""

    target: Target
    into: Target | None


@dataclass(frozen=True)
class Do(Stmt):
    """A call as a statement."""

    call: Call


@dataclass(frozen=True)
class Assert(Stmt):
    """Proved, then known."""

    test: Expr


@dataclass(frozen=True)
class If(Stmt):
    """A branch."""

    test: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]


@dataclass(frozen=True)
class While(Stmt):
    """A loop with its annotations."""

    test: Expr
    invariants: tuple[Expr, ...]
    measures: tuple[Expr, ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True)
class For(Stmt):
    """``for name in range(low, high, step)``; over a list, `name` is its index.

    `element` is then the variable that takes ``source[name]``; `name` may be hidden.
    """

    name: str
    low: Expr
    high: Expr
    step: int
    invariants: tuple[Expr, ...]
    body: tuple[Stmt, ...]
    source: Expr | None = None
    element: str = ""


@dataclass(frozen=True)
class Return(Stmt):
    """``return e``."""

    value: Expr | None


@dataclass(frozen=True)
class Jump(Stmt):
    """``break`` or ``continue``."""

    op: Literal["break", "continue"]


@dataclass(frozen=True)
class Parameter:
    """A parameter and what may change in it: None nothing, () all, else these fields."""

    name: str
    type: Type
    modifies: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Function:
    """A function with its contract."""

    name: str
    at: Place
    role: Literal["code", "spec", "lemma"]
    parameters: tuple[Parameter, ...]
    result: Type
    requires: tuple[Expr, ...]
    ensures: tuple[Expr, ...]
    measures: tuple[Expr, ...]
    body: tuple[Stmt, ...]
    locals: tuple[tuple[str, Type], ...]
    partial: bool
    calls: tuple[str, ...]
    uses: tuple[str, ...]
    bits: bool

    @property
    def modifies(self) -> bool:
        """Whether it changes anything that its caller sees."""
        return any(p.modifies is not None for p in self.parameters)


@dataclass(frozen=True)
class Module:
    """All functions that a source and its imports define, by full name."""

    filename: str
    functions: dict[str, Function]
    records: dict[str, RecordT]
    own: tuple[str, ...]
    cycles: dict[str, int] = field(default_factory=dict)


Word: TypeAlias = WordT

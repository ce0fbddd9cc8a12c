"""The typed tree: what a source means, after every name and type has been settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from certune.verifier.contracts.nodes import (
    Abs,
    And,
    Bin,
    Binder,
    Bit,
    Build,
    Call,
    Choice,
    Cmp,
    Comprehension,
    Concat,
    Contains,
    Convert,
    Copy,
    Empty,
    Expr,
    Extreme,
    Field,
    Implies,
    Index,
    Inv,
    IsNone,
    Item,
    Len,
    Lit,
    Lookup,
    Neg,
    Not,
    Old,
    Or,
    Permutation,
    Quantifier,
    Repeat,
    Same,
    Slice,
    Some,
    Sum,
    Unwrap,
    Var,
    Wrap,
    WrapShl,
)
from certune.verifier.contracts.report import Place
from certune.verifier.contracts.types import RecordT, Type


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


__all__ = [
    "Abs",
    "And",
    "Assert",
    "Assign",
    "Bin",
    "Binder",
    "Bit",
    "Build",
    "Call",
    "Choice",
    "Cmp",
    "Comprehension",
    "Concat",
    "Contains",
    "Convert",
    "Copy",
    "Do",
    "Empty",
    "Expr",
    "Extreme",
    "Field",
    "For",
    "Function",
    "If",
    "Implies",
    "Index",
    "Inv",
    "IsNone",
    "Item",
    "Jump",
    "Len",
    "Lit",
    "Lookup",
    "Module",
    "Neg",
    "Not",
    "Old",
    "Or",
    "Parameter",
    "Permutation",
    "Pop",
    "Quantifier",
    "Repeat",
    "Return",
    "Same",
    "Slice",
    "Some",
    "Stmt",
    "Sum",
    "Target",
    "Unwrap",
    "Update",
    "Var",
    "While",
    "Wrap",
    "WrapShl",
]

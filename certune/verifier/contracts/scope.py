"""Names: those of the language, those of a module, those that are visible at one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from certune.core.errors import nearest
from certune.verifier.contracts.report import Place
from certune.verifier.contracts.source import place_of, refuse
from certune.verifier.contracts.tree import Expr
from certune.verifier.contracts.types import (
    BOOL,
    INT,
    NONE,
    WORDS,
    DictT,
    ListT,
    NoneT,
    OptionT,
    RecordT,
    SetT,
    TupleT,
    Type,
    is_integer,
    is_mutable,
)

BUILTINS = frozenset(
    [
        "len",
        "range",
        "all",
        "any",
        "sum",
        "min",
        "max",
        "abs",
        "list",
        "int",
        "bool",
        "enumerate",
        "set",
        "dict",
        "tuple",
    ]
)
WORDS_OF_CONTRACTS = frozenset(
    [
        "require",
        "ensure",
        "modifies",
        "spec",
        "lemma",
        "partial",
        "invariant",
        "decreases",
        "ghost",
        "old",
        "implies",
        "permutation",
    ]
)
LIBRARY = WORDS_OF_CONTRACTS | frozenset(WORDS)
RESERVED = (
    BUILTINS
    | LIBRARY
    | frozenset(
        [
            "dataclass",
            "dataclasses",
            "icontract",
            "deal",
            "snapshot",
            "Final",
            "result",
            "OLD",
            "certune",
        ]
    )
)
MAX_TUPLE = 8


@dataclass(frozen=True)
class Signature:
    """What a caller must know of a function before its body is read."""

    name: str
    role: Literal["code", "spec", "lemma"]
    parameters: tuple[tuple[str, Type], ...]
    modifies: dict[str, tuple[str, ...]]
    result: Type
    at: Place


@dataclass
class Names:
    """What the top level of one file defines and imports."""

    file: str = ""
    library: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    decorators: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Expr] = field(default_factory=dict)
    records: dict[str, RecordT] = field(default_factory=dict)
    functions: dict[str, Signature] = field(default_factory=dict)

    def defined(self, name: str) -> bool:
        """Whether the top level defines or imports `name`."""
        return (
            name in self.constants
            or name in self.records
            or name in self.functions
            or name in self.modules
            or name in self.decorators
        )

    def check_new(self, name: str, node: ast.AST, what: str) -> None:
        """Refuse a name that means something already."""
        check_name(name, node, self.file, what)
        if self.defined(name):
            raise refuse(
                place_of(node, self.file),
                f"{name!r} is defined already; this {what} would hide it",
                "choose another name",
                "shadowing",
            )


def check_name(name: str, node: ast.AST, file: str, what: str) -> None:
    """Refuse names that the language itself uses.

    Raises:
        Refused: a word of the language, or a name of two leading underscores.
    """
    if name in RESERVED and not (name == "result" and what == "variable"):
        raise refuse(
            place_of(node, file),
            f"{name!r} belongs to the language; a {what} may not have that name",
            "choose another name",
            "shadowing",
        )
    if name.startswith("__"):
        raise refuse(place_of(node, file), f"the name {name!r}", "no leading __", "shadowing")


@dataclass
class Scope:
    """What is visible at one place of a function."""

    names: Names
    mode: Literal["code", "spec"]
    variables: dict[str, Type] = field(default_factory=dict)
    assigned: set[str] | None = field(default_factory=set)
    ghosts: set[str] = field(default_factory=set)
    old: dict[str, Type] = field(default_factory=dict)
    olds: dict[str, Expr] = field(default_factory=dict)
    record: str = ""
    entry: bool = False
    binders: dict[str, tuple[str, Type]] = field(default_factory=dict)
    elements: dict[str, Expr] = field(default_factory=dict)
    calls: set[str] = field(default_factory=set)
    counter: list[int] = field(default_factory=lambda: [0])
    bits: list[bool] = field(default_factory=lambda: [False])
    spent: list[int] = field(default_factory=lambda: [0])
    annotation: bool = False
    moved: list[str] | None = None

    def fresh(self, name: str) -> str:
        """An inner name that no other variable of the function has."""
        self.counter[0] += 1
        return f"{name}'{self.counter[0]}"

    @contextmanager
    def spec_mode(self) -> Iterator[None]:
        """Within: arithmetic is mathematical, and only specification functions are called."""
        before, self.mode = self.mode, "spec"
        try:
            yield
        finally:
            self.mode = before

    @contextmanager
    def annotating(self) -> Iterator[None]:
        """Within: as in `spec_mode`, and ghosts and old values may be read."""
        before, self.annotation = self.annotation, True
        try:
            with self.spec_mode():
                yield
        finally:
            self.annotation = before

    def at(self, node: ast.AST) -> Place:
        """Where `node` stands."""
        return place_of(node, self.names.file)

    def known(self) -> list[str]:
        """The names that may be meant where one is unknown."""
        return [*self.variables, *self.names.constants, *self.names.functions]


def read_type(node: ast.expr | None, names: Names, owner: ast.AST, depth: int = 0) -> Type:
    """The type that an annotation means.

    Raises:
        Refused: no annotation, or one that is not of the language.
    """
    where = place_of(node or owner, names.file)
    if node is None:
        raise refuse(where, "a type is missing", "annotate every parameter, result and field")
    if depth > 4:
        raise refuse(where, "a type nested too deeply", "at most 4 levels")
    if isinstance(node, ast.Constant) and node.value is None:
        return NONE
    if isinstance(node, ast.Name):
        return _named(node, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left = read_type(node.left, names, owner, depth + 1)
        right = read_type(node.right, names, owner, depth + 1)
        if isinstance(right, NoneT) and not isinstance(left, NoneT | OptionT):
            return OptionT(_immutable(left, where))
        raise refuse(where, "a union", "only `T | None` is of the language")
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        inner = tuple(read_type(p, names, owner, depth + 1) for p in parts)
        return _generic(node.value.id, inner, where)
    raise refuse(where, "this type is not of the language", "see docs/code.md, Types")


def _named(node: ast.Name, names: Names) -> Type:
    if node.id == "int":
        return INT
    if node.id == "bool":
        return BOOL
    if node.id in WORDS:
        if node.id not in names.library:
            raise refuse(
                place_of(node, names.file),
                f"{node.id} is not imported",
                f"from certune.contracts import {node.id}",
            )
        return WORDS[node.id]
    if node.id in names.records:
        return names.records[node.id]
    known = ["int", "bool", *WORDS, "list", "tuple", "dict", "set", *names.records]
    raise refuse(
        place_of(node, names.file), f"type {node.id[:40]!r} is unknown", nearest(node.id, known)
    )


def _generic(name: str, inner: tuple[Type, ...], where: Place) -> Type:
    if any(isinstance(t, NoneT) for t in inner):
        raise refuse(where, "None as a part of a type", "use `T | None` or drop it")
    if name == "list" and len(inner) == 1:
        return ListT(inner[0])
    if name == "tuple" and 1 <= len(inner) <= MAX_TUPLE:
        return TupleT(tuple(_immutable(t, where) for t in inner))
    if name == "set" and len(inner) == 1 and is_integer(inner[0]):
        return SetT(inner[0])
    if name == "dict" and len(inner) == 2 and is_integer(inner[0]):
        return DictT(inner[0], _immutable(inner[1], where))
    raise refuse(where, f"this use of {name[:40]}", "see docs/code.md, Types")


def _immutable(kind: Type, where: Place) -> Type:
    if is_mutable(kind):
        raise refuse(where, f"{kind} can change; here it would be shared", "use immutable parts")
    return kind

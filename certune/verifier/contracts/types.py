"""The types of the language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class IntT:
    """Mathematical integers."""

    def __str__(self) -> str:
        return "int"


@dataclass(frozen=True)
class BoolT:
    """Truth values."""

    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True)
class NoneT:
    """The type of `None`, as a return type and of the literal."""

    def __str__(self) -> str:
        return "None"


@dataclass(frozen=True)
class WordT:
    """Integers of `bits` bits."""

    bits: int
    signed: bool

    def __str__(self) -> str:
        return f"{'i' if self.signed else 'u'}{self.bits}"

    @property
    def low(self) -> int:
        """The least member."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The greatest member."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1


@dataclass(frozen=True)
class ListT:
    """Growing arrays."""

    item: Type

    def __str__(self) -> str:
        return f"list[{self.item}]"


@dataclass(frozen=True)
class TupleT:
    """Fixed tuples of immutable values."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True)
class OptionT:
    """A value or `None`."""

    item: Type

    def __str__(self) -> str:
        return f"{self.item} | None"


@dataclass(frozen=True)
class DictT:
    """Maps from integers."""

    key: Type
    value: Type

    def __str__(self) -> str:
        return f"dict[{self.key}, {self.value}]"


@dataclass(frozen=True)
class SetT:
    """Sets of integers."""

    key: Type

    def __str__(self) -> str:
        return f"set[{self.key}]"


@dataclass(frozen=True)
class RecordT:
    """A dataclass of the module."""

    name: str
    fields: tuple[tuple[str, Type], ...]
    frozen: bool

    def __str__(self) -> str:
        return self.name

    def field(self, name: str) -> Type | None:
        """The type of a field, None if there is no such field."""
        return dict(self.fields).get(name)


Type: TypeAlias = IntT | BoolT | NoneT | WordT | ListT | TupleT | OptionT | DictT | SetT | RecordT

INT = IntT()
BOOL = BoolT()
NONE = NoneT()
WORDS = {str(w): w for s in (False, True) for b in (8, 16, 32, 64) for w in (WordT(b, s),)}


def is_integer(kind: Type) -> bool:
    """Whether values are integers, of any width."""
    return isinstance(kind, IntT | WordT)


def is_mutable(kind: Type) -> bool:
    """Whether values can change, so that aliases matter."""
    return isinstance(kind, ListT | DictT | SetT) or (isinstance(kind, RecordT) and not kind.frozen)


def deep_mutable(kind: Type) -> bool:
    """Whether a value's copy by `[:]` would share something that can change."""
    return isinstance(kind, ListT) and is_mutable(kind.item)

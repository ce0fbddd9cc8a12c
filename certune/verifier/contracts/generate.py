"""Inputs for a function, drawn from its types, its literals and its precondition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Any

from certune.verifier.contracts import tree
from certune.verifier.contracts.data import Record
from certune.verifier.contracts.types import (
    BoolT,
    DictT,
    ListT,
    OptionT,
    RecordT,
    SetT,
    TupleT,
    Type,
    WordT,
    is_integer,
)

_SMALL = (0, 1, 2, 3, 4, 5, -1, -2, 7, 8, 10)


def literals(functions: Iterable[tree.Function]) -> tuple[int, ...]:
    """The numbers that the functions mention, and their neighbours."""
    found: set[int] = set()

    def visit(node: Any) -> None:
        if isinstance(node, tree.Lit):
            if type(node.value) is int:
                found.update((node.value - 1, node.value, node.value + 1))
        elif isinstance(node, tuple):
            for item in node:
                visit(item)
        elif isinstance(node, tree.Expr | tree.Stmt | tree.Binder | tree.Target):
            for name in node.__dataclass_fields__:
                if name not in ("type", "at"):
                    visit(getattr(node, name))

    for f in functions:
        visit((f.requires, f.ensures, f.body))
    return tuple(sorted(found))


class Generator:
    """Draws arguments; the same seed draws the same ones."""

    def __init__(self, seed: str, numbers: tuple[int, ...]) -> None:
        self.random = Random(seed)  # noqa: S311 - reproducible, not secret
        self.numbers = numbers

    def arguments(self, function: tree.Function) -> dict[str, Any]:
        """One argument for each parameter: containers first, so that numbers may fit them."""
        hints: list[int] = []
        done: dict[str, Any] = {}
        size = self.random.choice((0, 1, 2, 3, 4, 5, 6, 8))
        for p in sorted(function.parameters, key=lambda p: is_integer(p.type)):
            done[p.name] = self.draw(p.type, hints, size)
        return {p.name: done[p.name] for p in function.parameters}

    def number(self, kind: Type, hints: list[int]) -> int:
        """An integer of the type: small, a bound, a number of the program, or what fits."""
        roll = self.random.random()
        if hints and roll < 0.35:
            value = self.random.choice(hints) + self.random.choice((0, 0, 0, -1, 1))
        elif self.numbers and roll < 0.5:
            value = self.random.choice(self.numbers)
        elif isinstance(kind, WordT) and roll < 0.65:
            value = self.random.choice(
                (kind.low, kind.high, kind.high - 1, (kind.low + kind.high) // 2, kind.low + 1)
            )
        elif isinstance(kind, WordT) and roll < 0.8:
            value = self.random.randint(kind.low, kind.high)
        elif roll < 0.9:
            value = self.random.choice(_SMALL)
        else:
            value = self.random.randint(-40, 40)
        if isinstance(kind, WordT) and not kind.low <= value <= kind.high:
            value = (value - kind.low) % (1 << kind.bits) + kind.low
        return value

    def draw(self, kind: Type, hints: list[int], size: int) -> Any:
        """A value of a type."""
        if isinstance(kind, BoolT):
            return self.random.random() < 0.5
        if isinstance(kind, ListT):
            return self.listed(kind, hints, size)
        if isinstance(kind, TupleT):
            return tuple(self.draw(t, hints, size) for t in kind.items)
        if isinstance(kind, OptionT):
            return None if self.random.random() < 0.3 else self.draw(kind.item, hints, size)
        if isinstance(kind, RecordT):
            order = sorted(kind.fields, key=lambda f: is_integer(f[1]))
            inner = list(hints)
            made = {name: self.draw(t, inner, size) for name, t in order}
            hints.extend(inner[len(hints) :])
            return Record(kind.name, {name: made[name] for name, _ in kind.fields})
        if isinstance(kind, DictT):
            return {
                self.number(kind.key, hints): self.draw(kind.value, hints, size)
                for _ in range(size)
            }
        if isinstance(kind, SetT):
            return {self.number(kind.key, hints) for _ in range(size)}
        value = self.number(kind, hints)
        if abs(value) < 64:
            hints.append(value)
        return value

    def listed(self, kind: ListT, hints: list[int], size: int) -> list[Any]:
        """A list: of the common size mostly; sorted, constant or distinct at times."""
        if self.random.random() < 0.25:
            size = self.random.randint(0, 6)
        hints.append(size)
        if not is_integer(kind.item):
            return [self.draw(kind.item, hints, size) for _ in range(size)]
        near = [*hints, *range(size)]
        made = [self.number(kind.item, near) for _ in range(size)]
        roll = self.random.random()
        if roll < 0.25:
            made.sort()
        elif roll < 0.35:
            made = sorted(set(made))
            made += [made[-1]] * (size - len(made)) if made else []
        elif roll < 0.45 and made:
            made = made[:1] * size
        elif roll < 0.6:
            low, high = (kind.item.low, kind.item.high) if isinstance(kind.item, WordT) else (-9, 9)
            made = [min(max(self.random.randint(0, 3), low), high) for _ in range(size)]
        elif roll < 0.7:
            made = list(range(size))
            self.random.shuffle(made)
        hints.extend(made[:2])
        return made


def smaller(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Simpler arguments: shorter lists, numbers nearer to 0."""
    for name, value in arguments.items():
        for less in simpler(value):
            yield {**arguments, name: less}


def simpler(value: Any) -> Iterator[Any]:
    """Simpler values of the same shape."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int):
        for less in (
            0,
            value // 2 if value >= 0 else -(-value // 2),
            value - 1 if value > 0 else value + 1,
        ):
            if abs(less) < abs(value):
                yield less
    elif isinstance(value, list | tuple):
        if isinstance(value, list):
            for k in range(len(value)):
                yield value[:k] + value[k + 1 :]
        for k, item in enumerate(value):
            for less in simpler(item):
                changed = [*value[:k], less, *value[k + 1 :]]
                yield changed if isinstance(value, list) else tuple(changed)
    elif isinstance(value, Record):
        for name, item in value.fields.items():
            for less in simpler(item):
                yield Record(value.kind, {**value.fields, name: less})
    elif isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
    elif isinstance(value, set):
        for key in value:
            yield value - {key}

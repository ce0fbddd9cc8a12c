"""Concrete values of the language: copies, JSON, equality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from certune.core.canonical import MAX_SAFE_INTEGER, Json
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
)

_SHOWN = 64


@dataclass
class Record:
    """A record; `kind` is its type's name."""

    kind: str
    fields: dict[str, Any]


def copied(value: Any) -> Any:
    """A copy that shares nothing that can change."""
    if isinstance(value, list):
        return [copied(v) for v in value]
    if isinstance(value, Record):
        return Record(value.kind, {k: copied(v) for k, v in value.fields.items()})
    if isinstance(value, dict | set):
        return type(value)(value)
    return value


def to_json(value: Any) -> Json:
    """The value as JSON: records and dictionaries as objects, sets sorted, large integers text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= MAX_SAFE_INTEGER else str(value)
    if isinstance(value, list | tuple):
        shown = [to_json(v) for v in value[:_SHOWN]]
        return shown if len(value) <= _SHOWN else [*shown, f"… {len(value)} in all"]
    if isinstance(value, Record):
        return {k: to_json(v) for k, v in value.fields.items()}
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in sorted(value.items())[:_SHOWN]}
    return [to_json(v) for v in sorted(value)[:_SHOWN]]


def from_json(value: Any, kind: Type) -> Any:
    """The value that JSON means as one of a type.

    Raises:
        ValueError: it is none.
    """
    if isinstance(kind, BoolT):
        if not isinstance(value, bool):
            raise ValueError(f"{value!r} is no {kind}")  # noqa: TRY004 - of JSON
        return value
    if isinstance(kind, ListT):
        return [from_json(v, kind.item) for v in _array(value)]
    if isinstance(kind, TupleT):
        items = _array(value)
        return tuple(from_json(v, t) for v, t in zip(items, kind.items, strict=True))
    if isinstance(kind, OptionT):
        return None if value is None else from_json(value, kind.item)
    if isinstance(kind, SetT):
        return {from_json(v, kind.key) for v in _array(value)}
    if isinstance(kind, DictT | RecordT):
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} is no {kind}")  # noqa: TRY004 - of JSON
        if isinstance(kind, DictT):
            return {int(k): from_json(v, kind.value) for k, v in value.items()}
        if set(value) != {name for name, _ in kind.fields}:
            raise ValueError(f"the fields of {kind} are {[n for n, _ in kind.fields]}")
        return Record(kind.name, {n: from_json(value[n], t) for n, t in kind.fields})
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{value!r} is no {kind}")  # noqa: TRY004 - of JSON
    number = int(value)
    if isinstance(kind, WordT) and not kind.low <= number <= kind.high:
        raise ValueError(f"{number} is no {kind}")
    return number


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no array")  # noqa: TRY004 - of JSON
    return value

"""Frozen dataclasses to JSON data and back, strictly.

One mechanism reads every file that certune defines (specs, topologies, certificates, records):
the dataclass is the format. Reading refuses unknown members (and names the nearest known one),
missing members, wrong types, NaN and booleans where numbers are asked for, and says where.

Forms: `Fraction` is ``"7/6"`` (integers and decimals are read as well), an `Enum` its value,
a tuple an array, a union of dataclasses is told apart by a member named ``kind``.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Iterable, Mapping
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from certune.core.canonical import Json
from certune.core.errors import InvalidInput, nearest

T = TypeVar("T")

# Every double is written in fewer digits, and so are products of two; sums of the costs of many
# different links may need more. Python itself reads no integer of more than 4300 digits.
_MAX_FRACTION_TEXT = 4200
_MAX_SHOWN_BITS = 1000
_MAX_EXPONENT = 400
_FRACTION = re.compile(r"[+-]?[0-9]+(/[0-9]+|(\.[0-9]+)?([eE](?P<exponent>[+-]?[0-9]+))?)")
_SHOWN = 60  # characters of hostile text in a message or a place


def encode(value: object) -> Json:
    """The JSON data of a dataclass instance or of any value its members may hold.

    Raises:
        TypeError: a value without JSON form.
        ValueError: a fraction of more than 4200 characters, keys that differ in type alone.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, Enum):
        return cast(Json, value.value)
    if isinstance(value, Fraction):
        text = str(value)
        if len(text) > _MAX_FRACTION_TEXT:  # what could not be read back must not be written
            raise ValueError(f"a fraction of {len(text)} characters; the limit is 4200")
        return text
    if isinstance(value, Mapping):
        data = {str(key): encode(item) for key, item in value.items()}
        if len(data) != len(value):
            raise ValueError("two keys have the same text")
        return data
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON form")


@cache
def members(cls: type) -> tuple[tuple[str, Any, bool], ...]:
    """The members of a dataclass: name, type (`Any` for JSON data), whether it is required."""
    # The alias Json is recursive; any data that the parser let through is of it.
    hints = get_type_hints(cls, localns={"Json": Any})
    return tuple(
        (
            field.name,
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(cls)
        if field.init
    )


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", int: "an integer", float: "a number"}
    names |= {str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def _wrong(expected: str, value: object, place: str) -> InvalidInput:
    return InvalidInput(f"expected {expected}, found {_kind(value)}", place=place)


def _show(value: object) -> str:
    """Data in a message: short, whatever it is."""
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
    if value is None or isinstance(value, bool | float):
        return repr(value)
    # Integers of thousands of digits, which only Python can hand in, have no decimal text.
    if isinstance(value, int) and value.bit_length() <= _MAX_SHOWN_BITS:
        return repr(value)
    return _kind(value)


def _near(value: object, known: Iterable[object]) -> str:
    return nearest(value[:_SHOWN] if isinstance(value, str) else _show(value), map(str, known))


def _inside(place: str, key: str) -> str:
    key = key if len(key) <= _SHOWN else key[:_SHOWN] + "…"
    return f"{place}.{key}" if place else key


def fraction(value: object, place: str = "") -> Fraction:
    """An exact number from JSON: an integer, a decimal, or a string such as ``"7/6"``.

    Raises:
        InvalidInput: no number, or of more than 4200 characters or an exponent beyond 400.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong("a number", value, place)
    text = value if isinstance(value, str) else _show(value)
    found = _FRACTION.fullmatch(text) if len(text) <= _MAX_FRACTION_TEXT else None
    # The exponent is bounded before Fraction sees it: 1e999999999 would fill the memory.
    if found is not None and abs(int(found["exponent"] or "0")) <= _MAX_EXPONENT:
        try:
            return Fraction(text)
        except ZeroDivisionError:
            pass
    raise InvalidInput(
        f"{_show(value)} is not a number", place=place, remedy='write 25, 0.7 or "7/6"'
    )


def _dataclass(cls: type[T], data: object, place: str) -> T:
    if not isinstance(data, Mapping):
        raise _wrong("an object", data, place)
    fields = members(cast(type, cls))
    known = {name for name, _, _ in fields}
    for key in data:
        if key not in known:
            raise InvalidInput(
                f"unknown member {_show(key)}", place=place, remedy=_near(key, known)
            )
    values: dict[str, object] = {}
    for name, hint, required in fields:
        if name in data:
            values[name] = _decode(hint, data[name], _inside(place, name))
        elif required:
            raise InvalidInput(f"member {name!r} is missing", place=place)
    try:
        return cls(**values)
    except InvalidInput as error:
        raise (error.within(place) if place else error) from None


def _choose(options: tuple[Any, ...], data: object, place: str) -> Any:
    if type(None) in options:
        if data is None:
            return None
        rest = tuple(option for option in options if option is not type(None))
        return _decode(rest[0] if len(rest) == 1 else Union[rest], data, place)
    if all(dataclasses.is_dataclass(option) for option in options):
        if not isinstance(data, Mapping):
            raise _wrong("an object", data, place)
        kinds = {cast(Any, option).kind: option for option in options}
        kind = data.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            raise InvalidInput(
                f"unknown kind {_show(kind)}", place=place, remedy=_near(kind, kinds)
            )
        return _decode(kinds[kind], data, place)
    raise TypeError(f"no way to tell {options} apart")


def _decode(hint: Any, data: object, place: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _choose(get_args(hint), data, place)
    if origin is Literal:
        allowed = get_args(hint)
        if not any(type(data) is type(item) and data == item for item in allowed):
            raise InvalidInput(
                f"{_show(data)} is not allowed", place=place, remedy=_near(data, allowed)
            )
        return data
    if origin is tuple:
        if not isinstance(data, list | tuple):
            raise _wrong("an array", data, place)
        arguments = get_args(hint)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_decode(arguments[0], x, f"{place}[{i}]") for i, x in enumerate(data))
        if len(arguments) != len(data):
            raise InvalidInput(f"expected {len(arguments)} items, found {len(data)}", place=place)
        pairs = enumerate(zip(arguments, data, strict=True))
        return tuple(_decode(item, x, f"{place}[{i}]") for i, (item, x) in pairs)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(data, Mapping):
            raise _wrong("an object", data, place)
        value_hint = get_args(hint)[1]
        return {k: _decode(value_hint, v, _inside(place, k)) for k, v in data.items()}
    if hint is Any:
        return data
    if hint is Fraction:
        return fraction(data, place)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(data)
        except ValueError:
            values = [item.value for item in hint]
            raise InvalidInput(
                f"{_show(data)} is not allowed", place=place, remedy=_near(data, values)
            ) from None
    if dataclasses.is_dataclass(hint):
        return _dataclass(cast(type, hint), data, place)
    if hint is str and isinstance(data, str):
        return data
    if hint is bool and isinstance(data, bool):
        return data
    if hint is int and isinstance(data, int) and not isinstance(data, bool):
        return data
    if hint is float and isinstance(data, int | float) and not isinstance(data, bool):
        try:
            number = float(data)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise InvalidInput("not a finite number", place=place)
        return number
    names = {str: "a string", bool: "a boolean", int: "an integer", float: "a number"}
    if hint in names:
        raise _wrong(names[hint], data, place)
    raise TypeError(f"{hint!r} has no JSON form")


def decode(cls: type[T], data: Json, place: str = "") -> T:
    """An instance of the dataclass `cls` from JSON data; `place` begins the error's place.

    Raises:
        InvalidInput: what is wrong and at which member.
    """
    return cast(T, _decode(cls, data, place))

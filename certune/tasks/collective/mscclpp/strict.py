"""JSON parsed strictly, and its members taken by type and range or refused with their path.

Plans hold unsigned 64-bit numbers (max_message_size is 2**64 - 1 where there is no limit), which
certune's own JSON, bound to what a double holds, refuses; hence a parser here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from certune.core import InvalidPayload
from certune.core.errors import nearest

_NAMES = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidPayload(f"member {key[:60]!r} is given twice", remedy="keep one")
            seen.add(key)
    return entry


def _integer(text: str) -> int:
    if len(text) > 20:
        raise InvalidPayload(f"integer with {len(text)} digits", remedy="give at most 20")
    return int(text)


def _constant(name: str) -> Any:
    raise InvalidPayload(f"{name} is not JSON", remedy="give an integer")


def parse(data: bytes, limit: int) -> Any:
    """The JSON value in `data`, of at most `limit` bytes.

    Raises:
        InvalidPayload: no UTF-8, no JSON, a member given twice, NaN, an integer of more than 20
            characters, nesting that exhausts the parser; with line and column where they help.
    """
    if len(data) > limit:
        raise InvalidPayload(f"{len(data)} bytes of JSON", remedy=f"the limit is {limit} bytes")
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise InvalidPayload(
            f"not UTF-8 at byte {error.start}", remedy="save it as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        raise InvalidPayload(
            f"not JSON: {error.msg}", place=f"line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidPayload("nested too deeply") from None


def _found(value: object) -> str:
    return _NAMES.get(type(value), type(value).__name__)


def at(place: str, name: str) -> str:
    """The path of member `name` of the object at `place`."""
    return name if place in ("", "file") else f"{place}.{name}"


def _wrong(expected: str, value: object, place: str) -> InvalidPayload:
    return InvalidPayload(f"expected {expected}, found {_found(value)}", place=place)


def members(value: Any, place: str) -> Mapping[str, Any]:
    """`value` as an object."""
    if type(value) is not dict:
        raise _wrong("an object", value, place)
    return value


def array(value: Any, place: str) -> list[Any]:
    """`value` as an array."""
    if type(value) is not list:
        raise _wrong("an array", value, place)
    return value


def known(entry: Mapping[str, Any], names: Iterable[str], place: str) -> None:
    """Refuse members that are not among `names`, naming the nearest one that is."""
    for key in entry:
        if key not in names:
            raise InvalidPayload(
                f"unknown member {key[:60]!r}", place=place, remedy=nearest(key[:60], names)
            )


def require(entry: Mapping[str, Any], name: str, place: str) -> Any:
    """Member `name`, which must be there."""
    if name not in entry:
        raise InvalidPayload(f"member {name!r} is missing", place=place)
    return entry[name]


def integer(
    entry: Mapping[str, Any],
    name: str,
    place: str,
    low: int,
    high: int,
    *,
    default: int | None = None,
) -> int:
    """Member `name`, an integer from `low` to `high`."""
    if name not in entry and default is not None:
        return default
    value = require(entry, name, place)
    if type(value) is not int:
        raise _wrong("an integer", value, at(place, name))
    if not low <= value <= high:
        raise InvalidPayload(
            f"{value} is out of range", place=at(place, name), remedy=f"give {low} to {high}"
        )
    return value


def boolean(
    entry: Mapping[str, Any], name: str, place: str, *, default: bool | None = None
) -> bool:
    """Member `name`, true or false."""
    if name not in entry and default is not None:
        return default
    value = require(entry, name, place)
    if type(value) is not bool:
        raise _wrong("true or false", value, at(place, name))
    return value


def string(entry: Mapping[str, Any], name: str, place: str) -> str:
    """Member `name`, a string of at most 1,024 printable characters."""
    value = require(entry, name, place)
    if type(value) is not str:
        raise _wrong("a string", value, at(place, name))
    if len(value) > 1024 or not value.isprintable():
        raise InvalidPayload("too long or with characters that do not print", place=at(place, name))
    return value


def choice(entry: Mapping[str, Any], name: str, words: Iterable[str], place: str) -> str:
    """Member `name`, one of `words`."""
    value = string(entry, name, place)
    if value not in words:
        raise InvalidPayload(
            f"unknown {name} {value[:60]!r}", place=at(place, name), remedy=nearest(value, words)
        )
    return value


def integers(
    value: Any, place: str, low: int, high: int, most: int, *, what: str = "rank"
) -> list[int]:
    """`value` as an array of at most `most` integers from `low` to `high`."""
    listed = array(value, place)
    if len(listed) > most:
        raise InvalidPayload(f"{len(listed)} entries", place=place, remedy=f"at most {most}")
    for index, item in enumerate(listed):
        here = f"{place}[{index}]"
        if type(item) is not int:
            raise _wrong("an integer", item, here)
        if not low <= item <= high:
            raise InvalidPayload(
                f"{item} is no {what}",
                place=here,
                remedy=f"give {low} to {high}" if high >= low else "there is none",
            )
    return listed

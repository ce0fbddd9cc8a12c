"""JSON read strictly and written canonically, and the digests made of it.

The canonical form is that of RFC 8785 (JSON Canonicalization Scheme): UTF-8, no white space,
members sorted by UTF-16 code units, numbers as ECMAScript prints them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from certune.core.errors import InvalidInput

Json: TypeAlias = "None | bool | int | float | str | Sequence[Json] | Mapping[str, Json]"

MAX_SAFE_INTEGER = 2**53 - 1  # RFC 8785 follows IEEE 754 doubles; larger ones are not portable
MAX_DEPTH = 64  # of what is read from others
DEEPEST = 2 * MAX_DEPTH  # of what is written: records and certificates wrap what was read

_BYTES = (bytes, bytearray, memoryview)  # sequences of integers, but no arrays
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _number(value: float) -> str:
    """`value` as ECMAScript's Number::toString prints it (RFC 8785, section 3.2.2.3)."""
    if not math.isfinite(value):
        raise ValueError("NaN and infinity have no JSON form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # value = 0.DIGITS * 10**point
    point = len(whole) + int(exponent or "0") - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def _as_double(text: str) -> float | None:
    """The double whose canonical form is the integer `text`, None if there is none.

    Doubles from 2**53 to 1e21 are printed as integers.
    """
    if len(text) > 22:
        return None
    value = float(text)
    return value if _number(value) == text else None


def _string(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate has no UTF-8 form") from None
    return text


def _utf16(key: object) -> bytes:
    if not isinstance(key, str):
        raise TypeError(f"a key of type {type(key).__name__} has no JSON form")
    return key.encode("utf-16-be", "surrogatepass")


def _write(value: Json, out: list[str], depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    if value is None:
        out.append("null")
    elif isinstance(value, bool):
        out.append("true" if value else "false")
    elif isinstance(value, int):
        if abs(value) <= MAX_SAFE_INTEGER or _as_double(str(value)) is not None:
            out.append(str(value))
        else:
            raise ValueError("an integer beyond 2**53 - 1 is not portable; write it as a string")
    elif isinstance(value, float):
        out.append(_number(value))
    elif isinstance(value, str):
        out.append(_string(value))
    elif isinstance(value, Mapping):
        separator = "{"
        for key in sorted(value, key=_utf16):
            out.append(separator + _string(key) + ":")
            _write(value[key], out, depth + 1)
            separator = ","
        out.append("{}" if separator == "{" else "}")
    elif isinstance(value, Sequence):
        if type(value) in _BYTES:
            raise TypeError("bytes have no JSON form")
        separator = "["
        for item in value:
            out.append(separator)
            _write(item, out, depth + 1)
            separator = ","
        out.append("[]" if separator == "[" else "]")
    else:
        raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Json) -> bytes:
    """`value` in canonical form (RFC 8785).

    Raises:
        ValueError: NaN, infinity, integers beyond 2**53 - 1, lone surrogates, too deep.
        TypeError: something that is not JSON.
    """
    out: list[str] = []
    _write(value, out, 0)
    return "".join(out).encode()


def _no_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidInput(f"member {key[:60]!r} is given twice", remedy="keep one")
            seen.add(key)
    return members


def _constant(name: str) -> Json:
    raise InvalidInput(f"{name} is not JSON", remedy="give a finite number")


def _integer(text: str) -> int | float:
    if len(text) < 16:
        return int(text)
    value = None if len(text) > 22 else int(text)
    if value is not None and abs(value) <= MAX_SAFE_INTEGER:
        return value
    double = _as_double(text)
    if double is None:
        raise InvalidInput(
            f"{text[:22]} is beyond 2**53 - 1, where JSON numbers are not exact",
            remedy="write it as a string if it may be one, else give a smaller number",
        )
    return double


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidInput(f"{text[:40]} is too large", remedy="give a finite number")
    return value


def _check_depth(value: Json, depth: int) -> None:
    """Refuse containers nested deeper than `depth`; level by level, not by recursion."""
    level: list[Json] = [value]
    for _ in range(depth):
        level = [
            item
            for container in level
            if isinstance(container, dict | list)
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise InvalidInput("nested too deeply", remedy=f"at most {depth} levels")


def loads(data: bytes, *, limit: int = 64 * 2**20, depth: int = MAX_DEPTH) -> Json:
    """Parse JSON of at most `limit` bytes strictly; whatever it accepts, `dumps` can write.

    Refused: bad UTF-8, lone surrogates, duplicate members, NaN and infinity, numbers too large
    to be finite, integers beyond 2**53 - 1 (but for those that are how a double is printed),
    nesting deeper than `depth`.

    Raises:
        InvalidInput: with line and column where the text is not JSON.
    """
    if len(data) > limit:
        raise InvalidInput(f"{len(data)} bytes of JSON", remedy=f"the limit is {limit} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"not UTF-8 at byte {error.start}", remedy="save it as UTF-8") from None
    try:
        value: Json = json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        # No text is nested deeper than it has opening brackets; most are spared the walk.
        if data.count(b"[") + data.count(b"{") > depth:
            _check_depth(value, depth)
    except UnicodeEncodeError:
        raise InvalidInput(
            "a lone surrogate is no character", remedy="write the character itself"
        ) from None
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"not JSON: {error.msg}", place=f"line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidInput("nested too deeply", remedy=f"at most {depth} levels") from None
    return value


def sha256(data: bytes) -> str:
    """The digest by which certune names content: ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest(value: Json) -> str:
    """The digest of the canonical form of `value`."""
    return sha256(dumps(value))

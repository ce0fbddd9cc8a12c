"""Canonical JSON over arbitrary values and arbitrary bytes."""

import json
import struct

from core_strategies import floats, json_values
from hypothesis import given, settings
from hypothesis import strategies as st

from certune.core.canonical import DEEPEST, MAX_SAFE_INTEGER, dumps, loads
from certune.core.errors import InvalidInput


@settings(deadline=None, max_examples=80)
@given(json_values)
def test_round_trip(value):
    text = dumps(value)
    assert loads(text, depth=DEEPEST) == value
    assert dumps(loads(text, depth=DEEPEST)) == text
    # Any other parser that reads numbers as doubles, as RFC 8785 has it, reads the same.
    assert json.loads(text, parse_int=float) == value


@settings(deadline=None, max_examples=300)
@given(st.binary(min_size=8, max_size=8).map(lambda b: struct.unpack(">d", b)[0]) | floats)
def test_numbers_are_shortest_and_exact(value):
    if value != value or value in (float("inf"), float("-inf")):
        return
    text = dumps(value).decode()
    assert float(text) == value
    digits = text.lstrip("-").partition("e")[0].replace(".", "").strip("0")
    assert len(digits) <= len(repr(abs(value)).partition("e")[0].replace(".", "").strip("0"))
    # ECMAScript writes plainly from 1e-6 up to 1e21.
    plain = value == 0 or 1e-6 <= abs(value) < 1e21
    assert ("e" not in text) == plain


@settings(deadline=None, max_examples=300)
@given(st.integers())
def test_integers_are_exact_or_refused(value):
    try:
        text = dumps(value)
    except ValueError:
        assert abs(value) > MAX_SAFE_INTEGER
    else:
        assert text == str(value).encode()
        assert loads(text) == value


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.text(max_size=3), st.none(), max_size=6))
def test_keys_are_sorted_by_utf16(value):
    try:
        text = dumps(value)
    except ValueError:
        assert any("\ud800" <= c <= "\udfff" for key in value for c in key)
        return
    keys = list(json.loads(text))
    assert keys == sorted(keys, key=lambda key: key.encode("utf-16-be"))


JSONISH = st.lists(
    st.sampled_from(
        [
            *('{"a":', "}", "[", "]", ",", '"', "\\", "u", "d800", ":", "1", "-", "e", "+", "."),
            *("0", "null", "true", "NaN", "Infinity", " ", "\n", "é", "9" * 25, "1e400", "\x00"),
        ]
    ),
    max_size=25,
).map("".join)


@settings(deadline=None, max_examples=400)
@given(
    st.binary(max_size=40) | JSONISH.map(str.encode) | json_values.map(json.dumps).map(str.encode)
)
def test_reading_either_refuses_or_gives_what_can_be_written(data):
    try:
        value = loads(data)
    except InvalidInput:
        return
    assert loads(dumps(value)) == value

"""Canonical JSON against the examples of RFC 8785, and what strict reading refuses."""

import json
import math
import struct

import pytest

from certune.core.canonical import DEEPEST, MAX_DEPTH, digest, dumps, loads, sha256
from certune.core.errors import InvalidInput

# RFC 8785, appendix B: bits of an IEEE 754 double and its text.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_of_appendix_b(bits, text):
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert dumps(value) == text.encode()
    assert loads(text.encode()) == value
    assert dumps(loads(text.encode())) == text.encode()


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_nan_and_infinity_have_no_form(bits):
    with pytest.raises(ValueError, match="no JSON form"):
        dumps(struct.unpack(">d", bytes.fromhex(bits))[0])


def test_example_of_section_3_2_2():
    source = (
        '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        '"string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",'
        '"literals": [null, true, false]}'
    )
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert dumps(loads(source.encode())) == expected.encode()


def test_keys_are_sorted_by_utf16_as_in_section_3_2_3():
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(dumps(dict.fromkeys(keys, 0)))) == order
    assert sorted(keys) != order  # code points would sort the last two the other way


def test_containers_and_constants():
    assert dumps({"b": [1, {}, []], "a": {"x": None, "w": True}}) == (
        b'{"a":{"w":true,"x":null},"b":[1,{},[]]}'
    )
    assert dumps('\x00\x1f\x7f\b\t\n\f\r"\\/\u2028') == (
        '"\\u0000\\u001f\x7f\\b\\t\\n\\f\\r\\"\\\\/\u2028"'.encode()
    )


@pytest.mark.parametrize("value", [2**53 - 1, -(2**53) + 1, 0, 10**20, 2**53, -(10**15)])
def test_integers_that_are_kept(value):
    assert dumps(value) == str(value).encode()
    assert loads(dumps(value)) == value


@pytest.mark.parametrize("value", [2**53 + 1, 2**60, -(2**64), 10**21, 10**22, 10**400])
def test_integers_that_are_not_exact_are_refused(value):
    with pytest.raises(ValueError, match="write it as a string"):
        dumps(value)
    with pytest.raises(InvalidInput, match=r"beyond 2\*\*53 - 1"):
        loads(str(value).encode())


def test_what_has_no_form():
    with pytest.raises(ValueError, match="surrogate"):
        dumps({"\ud800": 1})
    with pytest.raises(TypeError, match="bytes"):
        dumps({"a": b"x"})  # bytes are a sequence of integers, but no array
    with pytest.raises(TypeError, match="set"):
        dumps({"a": {1}})
    with pytest.raises(TypeError, match="key"):
        dumps({1: 2})


def nested(levels):
    return b"[" * levels + b"]" * levels


def test_depth_is_bounded_when_read_and_when_written():
    assert loads(nested(MAX_DEPTH))
    with pytest.raises(InvalidInput, match="nested too deeply"):
        loads(nested(MAX_DEPTH + 1))
    assert dumps(loads(nested(DEEPEST), depth=DEEPEST)) == nested(DEEPEST)
    value = []
    for _ in range(DEEPEST + 1):
        value = [value]
    with pytest.raises(ValueError, match="nested deeper"):
        dumps(value)
    wide = b'{"a":' * 30 + b"[1]" + b"}" * 30
    assert loads(b"[" + b",".join([wide] * 50) + b"]")  # many brackets, little depth
    assert loads(b'"' + b"[" * 500 + b'"') == "[" * 500


@pytest.mark.parametrize("levels", [10_000, 2_000_000])
def test_absurd_depth_is_an_error_and_no_crash(levels):
    for text in (nested(levels), b"[" * levels, b'{"a":' * levels):
        with pytest.raises(InvalidInput):
            loads(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "not JSON"),
        (b"{", "line 1, column"),
        (b'{"a":1,"a":2}', "'a' is given twice"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[1e999]", "too large"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'"\\ud800"', "lone surrogate"),
        (b'{"\\udc00x": 1}', "lone surrogate"),
        (b"1" * 5000, "beyond"),
        (b"01", "not JSON"),
        (b"[1,]", "not JSON"),
        (b'"\n"', "not JSON"),
        ("[\u0661]".encode(), "not JSON"),
    ],
)
def test_what_reading_refuses(text, told):
    with pytest.raises(InvalidInput, match=told):
        loads(text)


def test_size_is_bounded():
    assert loads(b'"12"', limit=4) == "12"
    with pytest.raises(InvalidInput, match="the limit is 3 bytes"):
        loads(b'"12"', limit=3)


def test_escaped_pairs_are_characters():
    assert loads(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_digests():
    assert sha256(b"") == (
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert digest({"b": 1.0, "a": 2}) == digest({"a": 2, "b": 1}) == sha256(b'{"a":2,"b":1}')
    assert not math.isnan(loads(b"-0.0"))

"""The expression language: what it reads, what it refuses, what it computes."""

from __future__ import annotations

import numpy as np
import pytest

from certune.core import InvalidInput
from certune.tasks.collective.parametric.evaluate import evaluate, number
from certune.tasks.collective.parametric.expression import (
    MAX_TEXT,
    Term,
    integer,
    name,
    negation,
    parse,
    show,
    substitute,
)

VALUES = {"n": 7, "r": 3, "c": 5, "s": 2}

# Read by Python itself, whose notation this is.
READ = [
    "1 + 2 * 3 - 4",
    "(r - s - 1) % n",
    "-r % n",
    "--r",
    "r - -s",
    "-r // 2",
    "2 * n // 3 % 2",
    "r if r < c else c",
    "r if r > c else c if s == 2 else n",
    "(r if r < c else c) + 1",
    "0 <= r < n",
    "0 <= r < n != c",
    "not r < c or s == 2 and n > 3",
    "not (r < c or s == 2)",
    "not not r < c",
    "r < c and not s > 3 or n == 8",
    "(r < c) == (s < n)",
    "(r < c) != (s < n)",
    "(r < c if s == 2 else n == 3)",
    "n - (r - (c - s))",
]


@pytest.mark.parametrize("text", READ)
def test_means_what_python_means(text: str) -> None:
    expected = eval(text, {}, dict(VALUES))
    assert evaluate(parse(text), VALUES) == expected
    assert evaluate(parse(show(parse(text))), VALUES) == expected


def test_powers_and_constants() -> None:
    assert number(parse("pow2(n - s) + pow2(0)"), VALUES) == 33
    assert evaluate(parse("true and not false"), {})


def test_arrays_broadcast() -> None:
    ranks = np.arange(4).reshape(-1, 1)
    chunks = np.arange(4).reshape(1, -1)
    table = evaluate(parse("(r - c) % n <= s"), {"r": ranks, "c": chunks, "n": 4, "s": 1})
    assert table.tolist() == [[(r - c) % 4 <= 1 for c in range(4)] for r in range(4)]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "column 1"),
        ("  ", "column 1"),
        ("r +", "column 4"),
        ("r + * 2", "column 5"),
        ("(r", "column 3"),
        ("r)", "column 2"),
        ("r c", "column 3"),
        ("r; c", "column 2"),
        ("r.c", "column 2"),
        ("r[0]", "column 2"),
        ("f(r)", "column 2"),
        ("'r'", "column 1"),
        ("r ** 2", "column 4"),
        ("r / 2", "column 3"),
        ("__import__", "column 1"),
        ("pow2", "column 5"),
        ("pow2()", "column 6"),
        ("if", "column 1"),
        ("r if c", "column 7"),
        ("1.5", "column 2"),
        ("1e5", "column 2"),
        ("99999999999", "column 1"),
        ("4000000000", "column 1"),
        ("٣", "column 1"),
        ("r\x00", "column 2"),
        ("(r < c) + 1", "column 11"),
        ("not r", "column 5"),
        ("r and c", "column 7"),
        ("r if c else s", "column 13"),
        ("(r < c) < s", "column 11"),
        ("(r < c) == s", "column 12"),
        ("1 if r < c else true", "column 17"),
    ],
)
def test_refused_with_the_column(text: str, place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert caught.value.place == place


@pytest.mark.parametrize(
    "text",
    ["(" * 5000, "(" * 900 + "r" + ")" * 900, "-" * 1999, "r+" * 900 + "r", "not " * 400, "r" * 30],
)
def test_deep_and_long_texts_end(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text)


def test_too_long_a_text() -> None:
    with pytest.raises(InvalidInput, match=str(MAX_TEXT + 1)):
        parse("r" * (MAX_TEXT + 1))


def test_definitions_that_double_are_refused_early() -> None:
    def double(times: int) -> Term:
        term = name("x")
        for _ in range(times):
            term = Term("+", (term, term))
        return term

    assert double(10).nodes == 2047
    with pytest.raises(InvalidInput, match="too large"):
        double(200)


def test_substitution_is_all_at_once() -> None:
    swapped = substitute(parse("r - c * 2"), {"r": name("c"), "c": name("r")})
    assert swapped == parse("c - r * 2")


def test_negation() -> None:
    term = parse("r < c")
    assert negation(negation(term)) == term


@pytest.mark.parametrize(
    "text",
    ["r // (c - 5)", "r % (0 - 2)", "pow2(0 - s)", "pow2(50)", "x * x * x * x", "x * x + x * x"],
)
def test_what_has_no_exact_value_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        evaluate(parse(text), VALUES | {"x": 2**31})


def test_numbers_never_wrap_around() -> None:
    array = np.array([2**31], dtype=np.int64)
    assert evaluate(parse("x * x"), {"x": array}).tolist() == [2**62]
    with pytest.raises(InvalidInput):
        evaluate(parse("x * x * 2"), {"x": array})
    with pytest.raises(InvalidInput):
        evaluate(integer(2**63), {})

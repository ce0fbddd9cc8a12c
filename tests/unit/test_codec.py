"""The codec: what is written, what is read, and how errors name the place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Literal

import pytest

from certune.core.budget import Budget
from certune.core.codec import decode, encode, fraction
from certune.core.errors import InvalidInput
from certune.core.spec import Goal, Improve, Metric, Satisfy, TaskSpec
from certune.core.status import Status


class Colour(Enum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True)
class Inner:
    size: int
    cost: Fraction = Fraction(1, 2)


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    many: tuple[Inner, ...] = ()
    pair: tuple[int, str] = (1, "x")
    colour: Colour = Colour.RED
    level: Literal[1, 2, "top"] = 1
    by_name: Mapping[str, float] = field(default_factory=dict)
    maybe: Inner | None = None
    goal: Goal = field(default_factory=Satisfy)
    yes: bool = False


FULL = Outer(
    name="n",
    inner=Inner(3),
    many=(Inner(1, Fraction(7, 6)), Inner(2)),
    pair=(4, "y"),
    colour=Colour.GREEN,
    level="top",
    by_name={"a": 1.5},
    maybe=Inner(9),
    goal=Improve(Metric("m", "s", "lower")),
    yes=True,
)


def test_round_trip_and_form():
    data = encode(FULL)
    assert decode(Outer, data) == FULL
    assert data["many"][0] == {"size": 1, "cost": "7/6"}
    assert data["colour"] == "green"
    assert data["goal"]["kind"] == "improve"
    assert decode(Outer, {"name": "n", "inner": {"size": 1}}) == Outer("n", Inner(1))


def changed(**members):
    return {**encode(FULL), **members}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "expected an object, found an array"),
        ({"name": "n"}, "member 'inner' is missing"),
        (changed(nmae=1), "unknown member 'nmae'; did you mean 'name'?"),
        (changed(name=1), "name: expected a string, found an integer"),
        (changed(inner={"size": True}), "inner.size: expected an integer, found a boolean"),
        (changed(inner={"size": 1.0}), "inner.size: expected an integer, found a number"),
        (
            changed(inner={"size": 1, "cots": 2}),
            "inner: unknown member 'cots'; did you mean 'cost'",
        ),
        (changed(many=[{"size": 1}, {"size": "1"}]), r"many\[1\].size: expected an integer"),
        (changed(many={}), "many: expected an array, found an object"),
        (changed(pair=[1]), "pair: expected 2 items, found 1"),
        (changed(colour="gren"), "colour: 'gren' is not allowed; did you mean 'green'"),
        (changed(colour=["red"]), "colour: an array is not allowed"),
        (changed(level=1.0), "level: 1.0 is not allowed"),
        (changed(level=True), "level: True is not allowed"),
        (changed(by_name={"a": float("nan")}), "by_name.a: not a finite number"),
        (changed(by_name={"a": 10**400}), "by_name.a: not a finite number"),
        (changed(by_name={"a": False}), "by_name.a: expected a number, found a boolean"),
        (changed(maybe=3), "maybe: expected an object, found an integer"),
        (changed(goal={"kind": "improv"}), "goal: unknown kind 'improv'; did you mean 'improve'"),
        (changed(goal={"kind": ["x"]}), "goal: unknown kind an array"),
        (changed(goal={"kind": "improve"}), "goal: member 'metric' is missing"),
        (changed(goal={}), "goal: unknown kind None"),
        (changed(yes=1), "yes: expected a boolean, found an integer"),
    ],
)
def test_errors_say_what_and_where(data, told):
    with pytest.raises(InvalidInput, match=told):
        decode(Outer, data)


def test_place_is_prefixed_and_own_checks_are_placed():
    with pytest.raises(InvalidInput, match=r"^a\.json\.inner: member 'size' is missing"):
        decode(Outer, {"name": "n", "inner": {}}, "a.json")
    with pytest.raises(InvalidInput, match=r"^x: budget: attempts must be positive"):
        decode(Budget, {"attempts": 0}, "x")


def test_messages_stay_short_whatever_is_sent():
    huge = "k" * 1_000_000
    for data in (
        changed(**{huge: 1}),
        changed(colour=huge),
        changed(goal={"kind": huge}),
        changed(by_name={huge: "x"}),
        changed(inner={"size": 1, "cost": huge}),
        changed(level=huge),
        changed(level=10**5000),
    ):
        with pytest.raises(InvalidInput) as caught:
            decode(Outer, data)
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (25, Fraction(25)),
        (0.1, Fraction(1, 10)),
        (1e-7, Fraction(1, 10**7)),
        ("7/6", Fraction(7, 6)),
        ("-0.25", Fraction(-1, 4)),
        ("1e3", Fraction(1000)),
        ("+2", Fraction(2)),
    ],
)
def test_fractions_that_are_read(given, value):
    assert fraction(given) == value


@pytest.mark.parametrize(
    "given",
    [
        "1/0", "", " 1", "1 ", "1_000", "\u0661", "nan", "inf", "1e401", "1e999999999", "1//2",
        "1/-2", "0x10", ".5", "1.", "1" * 4201, 10**1500, float("nan"), float("inf"), True,
        None, [],
    ],
)  # fmt: skip
def test_fractions_that_are_refused(given):
    with pytest.raises(InvalidInput, match="number"):
        fraction(given, "p")


def test_an_integer_without_decimal_text_is_refused():
    with pytest.raises(InvalidInput, match="an integer is not a number"):
        fraction(10**5000)  # Python writes at most 4300 digits


def test_what_cannot_be_read_back_is_not_written():
    with pytest.raises(ValueError, match="limit is 4200"):
        encode(Fraction(1, 7**5000))
    longest = Fraction(10**2090, 7 * 10**2090 + 1)
    assert fraction(encode(longest)) == longest
    with pytest.raises(ValueError, match="same text"):
        encode({1: "a", "1": "b"})
    with pytest.raises(TypeError, match="bytes"):
        encode(b"x")


def test_a_spec_keeps_its_digest():
    spec = TaskSpec(
        "collective/allgather",
        1,
        {"size": 64 * 2**20, "topology": {"alpha": 0.7, "links": [[0, 1]]}},
        Improve(Metric("time", "us", "lower")),
        floors={"*": Status.PROVED, "numerics": Status.TESTED},
    )
    assert decode(TaskSpec, encode(spec)).digest == spec.digest
    other = decode(TaskSpec, {**encode(spec), "semantics": 2})
    assert other.digest != spec.digest

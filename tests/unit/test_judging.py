"""Judging: what is the candidate's fault, and what is ours."""

from __future__ import annotations

import pytest
import toy

from certune.core import (
    Context,
    Crashed,
    InvalidInput,
    NotRepeatable,
    Status,
    TimedOut,
)
from certune.judging import judge


def task(**changes: object) -> toy.ToyTask:
    return toy.ToyTask(toy.spec(), **changes)


def raising(error: Exception):
    def fail(number: int) -> None:
        raise error

    return fail


def test_a_right_candidate_has_a_verdict_and_metrics() -> None:
    judged = judge(task(), toy.payload(44), Context())
    assert judged.verdict.met
    assert judged.measurement is not None
    assert judged.measurement.values == {"cost": 2}


def test_a_refuted_candidate_is_not_evaluated() -> None:
    judged = judge(task(), toy.payload(7), Context())
    assert judged.verdict.status is Status.REFUTED
    assert judged.measurement is None


def test_input_that_elaborating_refuses_is_invalid() -> None:
    broken = task()

    def refuse(payload, context):
        raise InvalidInput("no ranks", place="steps[2]")

    broken.elaborate = refuse
    judged = judge(broken, toy.payload(44), Context())
    assert judged.verdict.status is Status.INVALID
    assert "steps[2]: no ranks" in str(judged.verdict.failure)


@pytest.mark.parametrize(
    "error",
    [InvalidInput("ours"), NotRepeatable("ours"), KeyError("x"), RecursionError(), MemoryError()],
)
def test_whatever_checking_raises_is_trouble_of_our_own(error: Exception) -> None:
    with pytest.raises(Crashed):
        judge(task(on_check=raising(error)), toy.payload(44), Context())


def test_trouble_keeps_its_kind() -> None:
    with pytest.raises(TimedOut):
        judge(task(on_check=raising(TimedOut("late"))), toy.payload(44), Context())


def test_the_specification_sets_the_floors_not_the_family() -> None:
    strict = toy.ToyTask(toy.spec(floors={"even": Status.PROVED}))
    judged = judge(strict, toy.payload(44), Context())
    assert [o.floor for o in judged.verdict.obligations] == [Status.PROVED]
    lenient = toy.ToyTask(toy.spec(floors={"even": Status.REFUTED}))
    assert judge(lenient, toy.payload(7), Context()).verdict.met

"""The conformance suite passes the toy family, and fails families with defects."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import toy

from certune.core import Payload
from certune.testing import TaskSuite


class TestToy(TaskSuite):
    family = toy.ToyFamily()
    task = "toy/number"

    def wrong_payloads(self, baseline: Payload):
        yield toy.payload(7)


class _Lenient(toy.ToyFamily):
    """Opens every semantics version."""


class _Suite(TaskSuite):
    family = _Lenient()
    task = "toy/number"


def broken(change: Callable[[toy.ToyTask], None]) -> TaskSuite:
    class Family(toy.ToyFamily):
        def open(self, spec):
            task = super().open(spec)
            change(task)
            return task

    suite = _Suite()
    suite.family = Family()
    return suite


def crash_on_garbage(task: toy.ToyTask) -> None:
    task.elaborate = lambda payload, context: 1 / 0


def test_a_bound_that_the_baseline_beats_fails_the_suite() -> None:
    suite = broken(lambda task: setattr(task, "known_bounds", (toy.bound(60),)))
    with pytest.raises(AssertionError):
        suite.test_the_baseline_is_correct_and_within_every_bound()


def test_a_family_that_crashes_on_garbage_fails_the_suite() -> None:
    with pytest.raises(Exception, match="ZeroDivisionError"):
        broken(crash_on_garbage).test_hostile_bytes_are_invalid_and_nothing_else()


def test_a_recheck_that_confirms_anything_fails_the_suite() -> None:
    suite = broken(lambda task: setattr(task, "recheck", lambda bound, context: True))
    with pytest.raises(AssertionError):
        suite.test_bounds_repeat_and_stronger_ones_do_not()


def test_search_that_yields_wrong_candidates_fails_the_suite() -> None:
    suite = broken(lambda task: setattr(task, "numbers", (7,)))
    with pytest.raises(AssertionError):
        suite.test_built_in_search_is_deterministic_and_correct()

"""The acceptance rule: floors, bounds, incumbents."""

from __future__ import annotations

from fractions import Fraction

import pytest
import toy

from certune.acceptance import Incumbent, best_bound, decide, gap
from certune.core import (
    Comparison,
    Counterexample,
    ImproveEach,
    Measurement,
    Metric,
    Obligation,
    Point,
    Satisfy,
    Status,
    Verdict,
)
from certune.core.obligation import invalid

GOAL = toy.spec().goal
HELD = Incumbent({"cost": Fraction(10)}, {"cost": "the baseline"})


def verdict(*statuses: Status, floor: Status = Status.PROVED) -> Verdict:
    return Verdict(
        tuple(
            Obligation(
                name=f"o{index}",
                claim="holds",
                method="smt",
                status=status,
                check="c",
                floor=floor,
                counterexample=Counterexample("x = 3") if status is Status.REFUTED else None,
            )
            for index, status in enumerate(statuses)
        )
    )


def modelled(cost: int) -> Measurement:
    return Measurement("modelled", {"cost": Fraction(cost)})


def decided(cost: int = 5, *, shown: Verdict | None = None, bounds=(), held=HELD, **changes):
    return decide(GOAL, shown or verdict(Status.PROVED), modelled(cost), held, bounds, **changes)


def test_better_and_proved_is_accepted_in_the_models_words() -> None:
    decision = decided(5)
    assert decision.accepted
    assert decision.ground == "better-in-model"
    assert "2.00 times better" in decision.why


@pytest.mark.parametrize("cost", [10, 11])
def test_as_good_as_the_incumbent_is_not_better(cost: int) -> None:
    decision = decided(cost)
    assert decision.reason == "not-better"
    assert decision.ground is None


def test_a_refuted_obligation_is_named_with_its_counterexample() -> None:
    decision = decided(shown=verdict(Status.PROVED, Status.REFUTED))
    assert decision.reason == "refuted"
    assert decision.why == "o1: x = 3"


@pytest.mark.parametrize("status", [Status.TESTED, Status.UNKNOWN])
def test_below_the_floor_is_refused(status: Status) -> None:
    assert decided(shown=verdict(Status.PROVED, status)).reason == "below-floor"


def test_tested_suffices_where_the_floor_says_so() -> None:
    assert decided(shown=verdict(Status.TESTED, floor=Status.TESTED)).accepted


def test_no_obligation_shows_nothing() -> None:
    assert decided(shown=Verdict(())).reason == "below-floor"


def test_invalid_keeps_its_reason() -> None:
    decision = decide(GOAL, invalid("line 3: no number"), None, HELD, ())
    assert (decision.reason, decision.why) == ("invalid", "line 3: no number")


def test_beyond_a_proven_bound_is_refused_loudly() -> None:
    decision = decided(5, bounds=(toy.bound(6),))
    assert decision.reason == "beyond-bound"
    assert "is wrong" in decision.why


def test_at_the_bound_is_accepted() -> None:
    assert decided(6, bounds=(toy.bound(6),)).accepted


def test_beyond_an_estimate_is_accepted_with_a_second_look() -> None:
    decision = decided(5, bounds=(toy.bound(6, kind="estimated"),))
    assert decision.accepted
    assert "look again" in decision.why


def test_a_scoped_bound_speaks_of_its_scope_alone() -> None:
    scoped = toy.bound(6, scope={"chunks": Fraction(3)})
    inside = Measurement("modelled", {"cost": Fraction(5), "chunks": Fraction(3)})
    outside = Measurement("modelled", {"cost": Fraction(5), "chunks": Fraction(4)})
    proved = verdict(Status.PROVED)
    assert decide(GOAL, proved, inside, HELD, (scoped,)).reason == "beyond-bound"
    assert decide(GOAL, proved, outside, HELD, (scoped,)).accepted
    assert best_bound(toy.COST, (scoped,)) is None


def test_a_metric_that_was_not_evaluated_wins_nothing() -> None:
    decision = decide(GOAL, verdict(Status.PROVED), Measurement("modelled", {}), HELD, ())
    assert decision.reason == "not-better"


def test_without_an_incumbent_nothing_is_better() -> None:
    assert decided(5, held=Incumbent()).reason == "not-better"


def test_measured_needs_a_comparison_that_says_better() -> None:
    measured = Measurement("measured", {"cost": Fraction(1)})
    proved = verdict(Status.PROVED)

    def compared(outcome):
        return Comparison(outcome, 1.5, (1.2, 1.8), 0.01, "betting")

    assert decide(GOAL, proved, measured, HELD, ()).reason == "not-better"
    for outcome in ("not-shown", "worse"):
        assert decide(GOAL, proved, measured, HELD, (), compared(outcome)).reason == "not-better"
    won = decide(GOAL, proved, measured, HELD, (), compared("better"))
    assert won.ground == "measured-better"
    assert won.why == "measured 1.500 times better (1.200 to 1.800) at an error of 0.01"


def test_why_a_comparison_ended_is_told():
    measured = Measurement("measured", {"cost": Fraction(1)})
    for outcome, said in (("better", "an error of 0.01"), ("not-shown", "not shown against")):
        found = Comparison(outcome, 1.5, (1.2, 1.8), 0.01, "betting", reason="shown in 10 pairs")
        decision = decide(GOAL, verdict(Status.PROVED), measured, HELD, (), found)
        assert said in decision.why
        assert decision.why.endswith(": shown in 10 pairs")


@pytest.mark.parametrize(
    ("ratio", "interval"), [(1.5, (0.9, 1.8)), (1.1, (1.2, 1.8)), (2.0, (1.2, 1.8)), (0.5, (0, 1))]
)
def test_a_comparison_that_contradicts_itself_accepts_nothing(ratio, interval):
    measured = Measurement("measured", {"cost": Fraction(1)})
    found = Comparison("better", ratio, interval, 0.01, "betting")
    decision = decide(GOAL, verdict(Status.PROVED), measured, HELD, (), found)
    assert decision.reason == "not-better"
    assert "contradicts itself" in decision.why


def test_a_measured_one_beyond_a_proven_bound_is_refused_whatever_was_compared():
    measured = Measurement("measured", {"cost": Fraction(5)})
    found = Comparison("better", 1.5, (1.2, 1.8), 0.01, "betting")
    decision = decide(GOAL, verdict(Status.PROVED), measured, HELD, (toy.bound(6),), found)
    assert decision.reason == "beyond-bound"


def test_replayed_is_said_so() -> None:
    replayed = Measurement("replayed", {"cost": Fraction(1)})
    decision = decide(GOAL, verdict(Status.PROVED), replayed, HELD, ())
    assert decision.ground == "better-in-replay"


def test_a_proof_goal_says_proven_or_tested() -> None:
    assert decide(Satisfy(), verdict(Status.PROVED), None, HELD, ()).ground == "proven"
    tested = verdict(Status.TESTED, floor=Status.TESTED)
    assert decide(Satisfy(), tested, None, HELD, ()).ground == "tested"


def test_a_vector_is_improved_entry_by_entry() -> None:
    small, large = Metric("small", "µs", "lower"), Metric("large", "µs", "lower")
    goal = ImproveEach((Point(small), Point(large)))
    held = Incumbent({"small": Fraction(4), "large": Fraction(9)}, {"small": "a", "large": "b"})
    proved = verdict(Status.PROVED)

    def taken(x: int, y: int) -> Measurement:
        return Measurement("modelled", {"small": Fraction(x), "large": Fraction(y)})

    assert decide(goal, proved, taken(3, 99), held, ()).accepted
    assert decide(goal, proved, taken(4, 9), held, ()).reason == "not-better"
    after = held.improved(goal, taken(3, 99).values, "c")
    assert after.values == {"small": 3, "large": 9}
    assert after.names == {"small": "c", "large": "b"}


def test_gaps_are_ratios_in_the_better_direction() -> None:
    higher = Metric("bandwidth", "GB/s", "higher")
    assert toy.COST.gap(Fraction(15), Fraction(10)) == Fraction(1, 2)
    assert higher.gap(Fraction(10), Fraction(15)) == Fraction(1, 2)
    assert higher.gap(Fraction(15), Fraction(15)) == 0
    assert toy.COST.gap(Fraction(1), Fraction(0)) is None
    assert gap(toy.COST, Fraction(3), (toy.bound(1), toy.bound(2))) == Fraction(1, 2)
    assert gap(toy.COST, Fraction(3), ()) is None

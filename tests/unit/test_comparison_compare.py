"""How a comparison ends, and what it says."""

import math
from collections.abc import Iterable

import pytest

from certune.core.codec import decode, encode
from certune.core.measurement import Comparison
from certune.sandbox.comparison import (
    Fault,
    Inconclusive,
    Observation,
    Rule,
    compare,
    spread,
    weighted,
)


class Listed:
    """Observations from a list; the last is repeated."""

    def __init__(self, items: Iterable[Observation | Fault]) -> None:
        self.items = list(items)
        self.taken = 0

    def observe(self):
        item = self.items[min(self.taken, len(self.items) - 1)]
        self.taken += 1
        return item


def ratio(wall, cpu=None, **more):
    return Observation(wall, wall if cpu is None else cpu, 1.0, 1.0, 0.5, **more)


def test_a_clear_gain_is_shown_and_confirmed():
    source, fresh = Listed([ratio(1.1)]), Listed([ratio(1.2)])
    found = compare(source, error=0.006, confirm=fresh)
    assert found.outcome == "better"
    assert (source.taken, fresh.taken) == (6, 5)  # the fewest that the errors allow
    assert found.samples == ((1.1, 1.1),) * 6 + ((1.2, 1.2),) * 5
    assert found.ratio == pytest.approx(1.1)
    low, high = found.interval
    assert 1.01 < low <= found.ratio <= high
    assert (found.error_spent, found.least_effect) == (0.006, 0.01)
    assert found.seconds == pytest.approx(5.5)
    assert found.reason == "shown in 6 pairs, again in 5"


@pytest.mark.parametrize(("wall", "cpu"), [(5.5, 1.28), (1.28, 5.5)])
def test_of_two_clocks_the_one_that_shows_less_is_told(wall, cpu):
    found = compare(Listed([ratio(wall, cpu)]), error=0.006, confirm=Listed([ratio(wall, cpu)]))
    assert found.outcome == "better"
    assert found.ratio == pytest.approx(1.28)
    assert 1.01 < found.interval[0] <= 1.28 <= found.interval[1] < 5


def test_without_confirmation_nothing_is_better():
    found = compare(Listed([ratio(1.1)]), error=0.006, confirm=Listed([ratio(1.0)]))
    assert found.outcome == "not-shown"
    assert "shown in 6 pairs, but not confirmed" in found.reason


@pytest.mark.parametrize("gain", [1.0, 1.005, 1.01, 0.995])
def test_less_than_the_least_effect_counts_as_none(gain):
    source = Listed([ratio(gain)])
    found = compare(source, error=0.006)
    assert found.outcome == "not-shown"
    assert source.taken == 8
    assert "rules out a gain of 1.0%" in found.reason


def test_slower_is_said():
    found = compare(Listed([ratio(0.9)]), error=0.006)
    assert found.outcome == "worse"
    assert found.ratio == pytest.approx(0.9)
    assert found.interval[1] < 1
    assert found.reason == "slower in 8 pairs"


@pytest.mark.parametrize(("wall", "cpu", "clock"), [(1.2, 1.0, "CPU"), (1.0, 1.2, "wall")])
def test_both_clocks_must_agree(wall, cpu, clock):
    found = compare(Listed([ratio(wall, cpu)]), error=0.006)
    assert found.outcome == "not-shown"
    assert f"the {clock} clock rules out" in found.reason


def test_clocks_that_contradict_each_other_show_nothing():
    assert compare(Listed([ratio(2.0, 0.5)]), error=0.006).outcome == "not-shown"


@pytest.mark.parametrize("kind", ["wrong", "cheated", "died"])
def test_a_fault_ends_it_at_once_wherever_it_comes(kind):
    fault = Fault(kind, "element 3 is 0.0, not 1.5")
    source = Listed([ratio(1.1), ratio(1.1), fault])
    found = compare(source, error=0.006)
    assert found == Fault(kind, fault.detail, seconds=1.0)
    assert source.taken == 3
    assert compare(Listed([ratio(1.1)]), error=0.006, confirm=Listed([fault])).kind == kind


def test_trouble_of_our_own_is_passed_on():
    class Broken:
        def observe(self):
            raise Inconclusive("throttled")

    with pytest.raises(Inconclusive, match="throttled"):
        compare(Broken(), error=0.006)


UNDECIDED = [ratio(1.05 if k % 2 else 0.97) for k in range(60)]


def test_limits_end_it_undecided():
    found = compare(Listed(UNDECIDED), error=0.006, rule=Rule(most_observations=30))
    assert found.outcome == "not-shown"
    assert len(found.samples) == 30
    assert "neither shown nor ruled out within the limit of pairs" in found.reason
    found = compare(Listed(UNDECIDED), error=0.006, rule=Rule(most_seconds=4.0))
    assert len(found.samples) == 9  # of half a second each; the one that passes it is the last
    assert "within the limit of time" in found.reason


def noisy(own):
    """Undecided pairs, the incumbent's own seconds given."""
    return [
        Observation(one.wall_ratio, one.cpu_ratio, seconds, seconds, 0.5)
        for one, seconds in zip(UNDECIDED, own, strict=True)
    ]


def test_a_noisy_machine_is_trouble_of_our_own_not_a_verdict():
    with pytest.raises(Inconclusive, match="the incumbent alone differs from itself by"):
        compare(Listed(noisy([1.0, 1.4, 0.8] * 20)), error=0.006)


def test_noise_of_the_candidates_own_making_is_its_own():
    wild = [ratio(3.0 if k % 2 else 0.3) for k in range(60)]  # the incumbent is steady
    assert compare(Listed(wild), error=0.006).outcome == "not-shown"


def test_a_machine_that_drifts_is_not_a_noisy_one():
    drift = noisy([1.02**k for k in range(60)])
    assert spread(drift) < 0.03
    assert compare(Listed(drift), error=0.006).outcome == "not-shown"


def test_what_is_shown_on_a_noisy_machine_is_shown():
    own = [1.0, 1.4, 0.8] * 20
    found = [Observation(1.5, 1.5, seconds, seconds, 0.5) for seconds in own]
    assert compare(Listed(found), error=0.006).outcome == "better"


def test_an_error_out_of_reach_is_told_before_anything_is_measured():
    source = Listed([ratio(1.1)])
    with pytest.raises(ValueError, match="takes 6 pairs at least, most_observations allows 5"):
        compare(source, error=0.006, rule=Rule(most_observations=5))
    assert source.taken == 0


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_what_no_measurement_gives_is_no_observation(value):
    with pytest.raises(ValueError, match="positive and finite"):
        Observation(value, 1.0)
    with pytest.raises(ValueError, match="positive and finite"):
        Observation(1.0, value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"least_effect": -0.1},
        {"least_effect": math.nan},
        {"refusing_error": 0.5},
        {"confirming_error": 0.0},
        {"most_seconds": 0.0},
        {"noisiest": -1.0},
    ],
)
def test_rules_without_meaning(wrong):
    with pytest.raises(ValueError, match=r"not between|positive"):
        Rule(**wrong)


@pytest.mark.parametrize("value", [1.1, 1.0, 0.5, 1e300, 1e-300])
def test_whatever_comes_out_can_be_recorded(value):
    found = compare(Listed([ratio(value)]), error=0.006)
    assert decode(Comparison, encode(found)) == found
    assert all(0 < side < math.inf for side in (*found.interval, found.ratio))


def test_an_early_end_has_a_wide_but_finite_interval():
    found = compare(Listed(UNDECIDED), error=0.006, rule=Rule(most_seconds=1.5))
    assert len(found.samples) == 4
    assert found.interval == pytest.approx((1e-6, 1e6))


def test_several_shapes_are_one_observation():
    small, large = ratio(1.21), ratio(1.0)
    both = weighted([(small, 1.0), (large, 1.0)])
    assert both.wall_ratio == pytest.approx(1.1)
    assert both.cpu_ratio == pytest.approx(1.1)
    assert both.seconds == 1.0
    assert weighted([(small, 3.0), (large, 1.0)]).wall_ratio == pytest.approx(1.21**0.75)
    assert weighted([(small, 5.0)]).wall_ratio == pytest.approx(1.21)


def test_exchanging_the_sides_inverts_the_mean():
    parts = [(ratio(1.3, 1.1), 2.0), (ratio(0.8, 0.9), 1.0), (ratio(1.02, 2.0), 0.3)]
    turned = [(ratio(1 / one.wall_ratio, 1 / one.cpu_ratio), weight) for one, weight in parts]
    here, there = weighted(parts), weighted(turned)
    assert here.wall_ratio * there.wall_ratio == pytest.approx(1.0)
    assert here.cpu_ratio * there.cpu_ratio == pytest.approx(1.0)


@pytest.mark.parametrize("weights", [[], [0.0], [-1.0], [math.inf], [math.nan]])
def test_weights_must_be_positive(weights):
    with pytest.raises(ValueError, match="positive and finite"):
        weighted([(ratio(1.0), weight) for weight in weights])

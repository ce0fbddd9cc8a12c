"""The stated error holds on machines that misbehave; gains are found where they can be."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_pairs import (
    NULLS,
    drifting,
    heavy,
    layout,
    quiet,
    second_is_slow,
    sources,
    still,
)

from certune.ledger.spending import share
from certune.sandbox.comparison import MedianInterval, Observation, Rule, compare

# An error large enough to be seen; both parts share it alike.
LOOSE = Rule(least_effect=0.0, noisiest=math.inf, most_observations=80)
ERROR = 0.2
RUNS = 400


def shown(machine, *, runs=RUNS, seed=1, rule=LOOSE, **options):
    """How many comparisons came out better."""
    found = (
        compare(one, error=ERROR, rule=rule) for one in sources(machine, runs, seed, **options)
    )
    return sum(one.outcome == "better" for one in found)


def allowed(runs, error):
    """What a true error is beyond once in a hundred thousand."""
    return runs * error + 4.3 * math.sqrt(runs * error * (1 - error))


@pytest.mark.parametrize("machine", NULLS, ids=lambda machine: machine.__name__)
def test_identical_code_wins_no_more_often_than_stated(machine):
    assert shown(machine) <= allowed(RUNS, ERROR)


@pytest.mark.parametrize("machine", [second_is_slow, drifting])
def test_without_the_coin_it_would(machine):
    """The positive control: what the coin is for, and that these machines would do harm."""
    assert shown(machine, runs=50, fair=False) > allowed(50, ERROR)


def test_nearly_all_of_the_error_could_be_met():
    """The test is not empty: a machine exists whose identical codes come close to it."""
    assert shown(heavy) > RUNS * ERROR / 4


@pytest.mark.parametrize("gain", [1.01, 1.005, 0.99])
def test_a_gain_of_the_least_effect_or_less_is_none(gain):
    rule = Rule(least_effect=0.01, noisiest=math.inf, most_observations=80)
    for machine in (still, layout, heavy):
        assert shown(machine, rule=rule, gain=gain) <= allowed(RUNS, ERROR)


@pytest.mark.parametrize("gains", [(1.5, 1.0), (1.0, 1.5)])
def test_one_clock_alone_wins_nothing(gains):
    wall, cpu = gains
    assert shown(still, cpu=heavy, gain=wall, cpu_gain=cpu) <= allowed(RUNS, ERROR)


def test_looking_at_many_identical_candidates_within_one_budget():
    """The whole budget of a project over a search of 30 identical candidates, many projects."""
    accepted, projects = 0, 60
    for project in range(projects):
        found = (
            compare(one, error=share(0.5, number), rule=LOOSE).outcome == "better"
            for number, one in enumerate(sources(heavy, 30, seed=project), 1)
        )
        accepted += any(found)
    assert accepted <= allowed(projects, 0.5)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=40),
    st.floats(0.02, 0.4),
    st.integers(0, 2**32),
)
def test_any_sizes_whatever(sizes, error, seed):
    """For any sequence of differences known beforehand, signs by the coin: at most `error`."""
    generator = random.Random(seed)
    crossed, runs = 0, 60
    for _ in range(runs):
        known = MedianInterval(error)
        for size in sizes:
            known.add(size * generator.choice((1, -1)))
        crossed += known.low > 0
    assert crossed <= allowed(runs, error)


@pytest.mark.parametrize("machine", [still, layout, heavy], ids=lambda machine: machine.__name__)
def test_the_interval_covers_at_every_time(machine):
    """True ratio 1.03: over 60 looks each, each side misses it in at most 2.5 % of the runs."""
    below = above = 0
    for source in sources(machine, RUNS, seed=4, gain=1.03):
        known = MedianInterval(0.025)
        for _ in range(60):
            known.add(math.log(source.observe().wall_ratio))
        below += known.high < math.log(1.03) - 1e-12
        above += known.low > math.log(1.03) + 1e-12
    assert below <= allowed(RUNS, 0.025)
    assert above <= allowed(RUNS, 0.025)


@pytest.mark.parametrize(("gain", "share_found"), [(1.10, 0.99), (1.05, 0.97), (1.02, 0.90)])
def test_true_gains_are_found_on_a_quiet_machine(gain, share_found):
    found = [compare(one, error=0.006) for one in sources(quiet, 150, seed=7, gain=gain)]
    assert sum(one.outcome == "better" for one in found) >= 150 * share_found
    assert all(one.interval[0] >= 1.01 for one in found if one.outcome == "better")


def test_slower_ones_are_told_apart():
    found = [compare(one, error=0.006) for one in sources(quiet, 100, seed=8, gain=0.95)]
    assert sum(one.outcome == "worse" for one in found) >= 95
    assert not any(one.outcome == "better" for one in found)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9)), min_size=1, max_size=40),
    st.floats(0.001, 0.2),
)
def test_what_is_said_fits_together(pairs, error):
    class Listed:
        def __init__(self):
            self.taken = 0

        def observe(self):
            self.taken += 1
            wall, cpu = pairs[(self.taken - 1) % len(pairs)]
            return Observation(wall, cpu, 1.0, 1.0, 0.1)

    found = compare(Listed(), error=error)
    low, high = found.interval
    assert 0 < low <= found.ratio <= high
    if found.outcome == "better":
        assert low >= 1.01
    if found.outcome == "worse":
        assert high < 1 / 1.01
        assert found.ratio < 1

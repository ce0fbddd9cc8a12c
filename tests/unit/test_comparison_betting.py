"""The bets: exact against the definition, and never richer than the error allows."""

import math
from fractions import Fraction

import pytest

from certune.sandbox.comparison import MedianInterval, fewest_rounds, wealth, wins_needed


def integral(wins, rounds):
    """2 · 2^rounds · ∫ p^wins (1-p)^(rounds-wins) over (1/2, 1), term by term, exactly."""
    losses = rounds - wins
    half = Fraction(1, 2)
    total = Fraction(0)
    for k in range(losses + 1):
        power = wins + k + 1
        total += (-1) ** k * math.comb(losses, k) * (1 - half**power) / power
    return 2 * 2**rounds * total


def test_the_closed_form_is_the_integral():
    for rounds in range(25):
        for wins in range(rounds + 1):
            assert wealth(wins, rounds) == integral(wins, rounds)


def test_a_fair_coin_neither_wins_nor_loses():
    assert wealth(0, 0) == 1
    for rounds in range(40):
        for wins in range(rounds + 1):
            after = wealth(wins + 1, rounds + 1) + wealth(wins, rounds + 1)
            assert after / 2 == wealth(wins, rounds)


def test_the_bet_is_always_on_winning():
    for rounds in range(60):
        for wins in range(rounds):
            assert wealth(wins, rounds) < wealth(wins + 1, rounds)


@pytest.mark.parametrize("error", [0.3, 0.1, 0.025, 0.01, 0.006, 1e-4])
def test_the_chance_of_ever_getting_rich_by_luck(error):
    """Ville's inequality, by adding up every path of 300 fair tosses; and it is not wasteful."""
    alive, rich = {0: 1.0}, 0.0
    for rounds in range(1, 301):
        following: dict[int, float] = {}
        needed = wins_needed(rounds, error)
        for wins, chance in alive.items():
            for after in (wins, wins + 1):
                if needed is not None and after >= needed:
                    rich += chance / 2
                else:
                    following[after] = following.get(after, 0.0) + chance / 2
        alive = following
    assert error / 5 < rich <= error


def test_fewest_wins():
    assert [fewest_rounds(error) for error in (0.1, 0.025, 0.01, 0.006)] == [5, 8, 9, 10]
    assert wins_needed(8, 0.01) is None
    assert wins_needed(9, 0.01) == 9
    for rounds in range(9, 60):
        needed = wins_needed(rounds, 0.01)
        assert wealth(needed, rounds) >= 100 > wealth(needed - 1, rounds)


@pytest.mark.parametrize(("wins", "rounds"), [(-1, 3), (4, 3), (1, 1001)])
def test_counts_that_cannot_be(wins, rounds):
    with pytest.raises(ValueError, match="at most 1000"):
        wealth(wins, rounds)


@pytest.mark.parametrize("error", [0.0, 1.0, -0.1, math.nan])
def test_errors_that_cannot_be(error):
    with pytest.raises(ValueError, match="not between 0 and 1"):
        wins_needed(5, error)


def brute(values, error):
    """For many m: was a player against it ever rich?"""
    low, high = -math.inf, math.inf
    grid = sorted({v + d for v in values for d in (-1e-9, 0.0, 1e-9)})
    for m in grid:
        for n in range(1, len(values) + 1):
            if wealth(sum(v > m for v in values[:n]), n) >= 1 / Fraction(error):
                low = max(low, m)
            if wealth(sum(v < m for v in values[:n]), n) >= 1 / Fraction(error):
                high = min(high, m)
    return low, high


def test_the_interval_is_what_the_players_rule_out():
    values = [((7 * k) % 23) / 23 + 0.001 * k for k in range(30)]
    known = MedianInterval(0.1)
    for value in values:
        known.add(value)
    low, high = brute(values, 0.1)
    assert known.low == pytest.approx(low, abs=1e-8)
    assert known.high == pytest.approx(high, abs=1e-8)
    assert known.low < known.middle < known.high


def test_of_few_observations_nothing_is_known():
    known = MedianInterval(0.025)
    for _ in range(7):
        known.add(1.0)
    assert known.interval == (-math.inf, math.inf)
    known.add(1.0)
    assert known.interval == (1.0, 1.0)


def test_what_no_median_explains_is_told_from_the_latest():
    known = MedianInterval(0.2)
    for value in [1.0] * 12 + [-1.0] * 60:
        known.add(value)
    assert known.low > known.high
    assert known.interval == (-1.0, -1.0)


def test_no_number_is_no_observation():
    with pytest.raises(ValueError, match="must be a number"):
        MedianInterval(0.1).add(math.nan)

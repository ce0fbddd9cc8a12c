"""What agents cost, told for each of them; what is not known is said."""

from fractions import Fraction

from certune.cli.costs import cost_data, cost_lines, costs
from certune.core import Trial, Usage


def trial(number, by, usage, **facts):
    given = {"by": by, **facts} if by else facts
    return Trial(number, "s", "hybrid", "d", "f", "p", "now", 1.0, usage=usage, provenance=given)


TRIALS = [
    trial(1, "search", Usage()),
    trial(2, "openai", Usage(100, 50, Fraction(1, 100))),
    trial(3, "openai", Usage(10, 5, None), estimated=True),
]


def test_each_part_of_a_session_has_its_own_account():
    found = costs(TRIALS)
    assert [(c.agent, c.attempts, c.tokens_in, c.tokens_out) for c in found] == [
        ("search", 1, 0, 0),
        ("openai", 2, 110, 55),
    ]
    assert (found[1].money, found[1].estimated, found[1].unpriced) == (Fraction(1, 100), 1, 1)


def test_estimates_and_unknown_prices_are_said():
    lines = cost_lines(TRIALS)
    assert lines[0] == "search: 1 attempts, 0 accepted"
    assert "an estimate in 1 of them" in lines[1]
    assert "0.0100 spent, price unknown of 1" in lines[1]
    assert "price unknown" in cost_lines([TRIALS[2]])[0]
    assert cost_data(TRIALS)[1]["money"] is None
    assert cost_data(TRIALS[:2])[1]["money"] == "1/100"


def test_search_alone_has_no_account():
    assert cost_lines([trial(1, "", Usage())]) == []

"""The statistics of comparisons, against brute force; and the comparison of agents itself."""

import itertools
import math
import random
from fractions import Fraction

import pytest
from mcp_toy import TERMS, ToyTask, spec
from model_bench import OpenTask

from certune.acceptance import Incumbent
from certune.agents.random import Random
from certune.agents.replay import Replay
from certune.agents.search import Search
from certune.compare import (
    Contender,
    Interval,
    Outcome,
    _rank_sums,
    compare,
    improvement,
    median_interval,
    ratio_interval,
    summarise,
)
from certune.core import (
    Budget,
    ConfigurationError,
    Improve,
    ImproveEach,
    InvalidInput,
    Metric,
    Point,
    Spent,
)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 3), (3, 3), (4, 2), (5, 4)])
def test_rank_sums_count_every_order(n, m):
    counted = [0] * (n * m + 1)
    for chosen in itertools.combinations(range(n + m), n):
        counted[sum(rank - place for place, rank in enumerate(chosen))] += 1
    assert _rank_sums(n, m) == counted
    assert sum(counted) == math.comb(n + m, n)


def test_the_interval_of_a_ratio_holds_as_often_as_it_says():
    draw = random.Random(1)
    held = 0
    level = None
    for _ in range(1500):
        a = [math.exp(draw.gauss(0.3, 1)) for _ in range(6)]
        b = [math.exp(draw.gauss(0.0, 1)) for _ in range(6)]
        interval = ratio_interval(a, b, 0.95)
        level = interval.level
        held += interval.low <= math.exp(0.3) <= interval.high
    assert 0.95 <= level < 0.975
    assert abs(held / 1500 - level) < 0.02


def test_the_interval_of_a_median_holds_as_often_as_it_says():
    draw = random.Random(2)
    held = 0
    for _ in range(2000):
        interval = median_interval([draw.expovariate(1) for _ in range(9)], 0.95)
        held += interval.low <= math.log(2) <= interval.high
    assert interval.level == pytest.approx(1 - 2 * (1 + 9) / 2**9)
    assert abs(held / 2000 - interval.level) < 0.02


def test_too_few_values_give_no_interval():
    assert ratio_interval([1, 2, 3], [4, 5, 6], 0.95) == Interval(None, None, 1.0)
    assert ratio_interval([1] * 4, [2] * 4, 0.95).high == 0.5
    assert median_interval([5.0, 1.0, 3.0], 0.95) == Interval(1.0, 5.0, 0.75)
    assert median_interval([5.0], 0.95) == Interval(5.0, 5.0, 0.0)


def test_improvement_is_the_weighted_geometric_mean():
    time, rate = Metric("t", "s", "lower"), Metric("r", "GB/s", "higher")
    goal = ImproveEach((Point(time, Fraction(3)), Point(rate, Fraction(1))))
    best = Incumbent({"t": Fraction(1), "r": Fraction(16)}, {})
    start = {"t": Fraction(2), "r": Fraction(1)}
    assert improvement(goal, start, best) == pytest.approx((2**3 * 16) ** 0.25)
    assert improvement(Improve(TERMS), {"terms": Fraction(12)}, Incumbent()) == 1


def outcome(agent, run, value):
    return Outcome(agent, run, value, {}, None, 0, Spent(), "budget", "")


def test_no_difference_is_shown_where_there_may_be_none():
    values = {"a": [2.0, 2.0, 3.0, 3.0, 3.0, 3.0], "b": [2.0, 2.0, 2.0, 3.0, 3.0, 3.0]}
    found = {n: [outcome(n, i, v) for i, v in enumerate(vs)] for n, vs in values.items()}
    table = summarise(found, {"a": True, "b": True}, 6, 0.95)
    assert table.pairs[0].interval.low <= 1 <= table.pairs[0].interval.high
    assert table.pairs[0].answer == "not-shown"
    same = {n: [outcome(n, i, 3.0) for i in range(6)] for n in "ab"}
    pair = summarise(same, {"a": True, "b": True}, 6, 0.95).pairs[0]
    assert (pair.interval.low, pair.answer) == (1.0, "not-shown")


def test_the_level_holds_for_all_pairs_together():
    names = "abcd"
    found = {n: [outcome(n, i, 1.0 + i) for i in range(8)] for n in names}
    table = summarise(found, dict.fromkeys(names, True), 8, 0.95)
    assert len(table.pairs) == 6
    assert all(pair.interval.level >= 1 - 0.05 / 6 for pair in table.pairs)


def lines(tmp_path, name, payloads):
    path = tmp_path / f"{name}.jsonl"
    path.write_text("\n".join('{"payload": %s}' % p for p in payloads))  # noqa: UP031
    return str(path)


def test_agents_are_compared_at_equal_budget(tmp_path):
    good = lines(tmp_path, "good", ['{"xs":[6,6]}'])
    seen = []
    table = compare(
        OpenTask(spec(12)),
        [Contender("replay", Replay, {"file": good}), Contender("random", Random, {})],
        Budget(attempts=5),
        tmp_path / "runs",
        runs=6,
        watch=seen.append,
    )
    assert [summary.agent for summary in table.summaries] == ["replay", "random"]
    by_name = {summary.agent: summary for summary in table.summaries}
    assert by_name["replay"].median == 6.0
    assert len(by_name["replay"].outcomes) == 1  # chance has no part in it
    assert len(by_name["random"].outcomes) == 6
    assert all(o.spent.attempts == 5 for o in by_name["random"].outcomes)
    assert table.pairs[0].answer == "better"
    assert table.pairs[0].interval.low > 1
    assert len(seen) == 7
    folders = {outcome.folder for outcome in seen}
    assert len(folders) == 7  # a ledger each


def test_seeds_differ_between_runs(tmp_path):
    table = compare(
        OpenTask(spec(12)),
        [Contender("random", Random, {})],
        Budget(attempts=12),
        tmp_path,
        runs=3,
    )
    assert len(table.summaries[0].outcomes) == 3
    from certune.ledger import Ledger

    sent = []
    for outcome in table.summaries[0].outcomes:
        with Ledger.open(tmp_path / f"random-{outcome.run}", read_only=True) as ledger:
            sent.append(tuple(t.payload for t in ledger.trials(ledger.session("last").id)))
    assert len(set(sent)) == 3


def test_agents_without_chance_that_come_to_the_same_are_equal(tmp_path):
    good = lines(tmp_path, "good", ['{"xs":[6,6]}'])
    table = compare(
        OpenTask(spec(12)),
        [Contender("replay", Replay, {"file": good}), Contender("search", Search, {})],
        Budget(attempts=5),
        tmp_path / "runs",
    )
    assert table.pairs[0].answer == "better"
    assert table.pairs[0].ratio == 6.0
    same = compare(
        ToyTask(spec(1)),
        [Contender("replay", Replay, {"file": good}), Contender("search", Search, {})],
        Budget(attempts=5),
        tmp_path / "same",
    )
    assert same.pairs[0].answer == "equal"


def test_an_agent_twice_or_none_is_refused(tmp_path):
    with pytest.raises(InvalidInput):
        compare(ToyTask(spec(12)), [], Budget(attempts=1), tmp_path)
    one = Contender("random", Random, {})
    with pytest.raises(InvalidInput):
        compare(ToyTask(spec(12)), [one, one], Budget(attempts=1), tmp_path)
    with pytest.raises(ConfigurationError):
        compare(
            ToyTask(spec(12)),
            [Contender("random", Random, {"x": "y"})],
            Budget(attempts=1),
            tmp_path,
        )

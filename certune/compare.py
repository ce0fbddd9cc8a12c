"""Agents against each other at equal budget, on the same task, from the same baseline.

Every run has a ledger of its own, so that no run profits from what another has found. The result
of a run is its improvement: how many times better than the baseline its best accepted candidate
is, 1 where nothing was accepted (for several goal metrics the weighted geometric mean; for a goal
that is a proof 2 with one and 1 without).

Intervals assume nothing about how results are distributed: order statistics for a median, the
Hodges-Lehmann interval for the ratio of two agents (M. Hollander, D. Wolfe, E. Chicken,
Nonparametric Statistical Methods, chapter 4), which ties make wider than need be. The level of
each pair is raised (Bonferroni) so that it holds for all pairs together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeAlias

from certune.acceptance import Incumbent, best_bound
from certune.core.agent import AgentFactory, AgentSetup
from certune.core.budget import Budget, Spent
from certune.core.errors import ConfigurationError, InvalidInput
from certune.core.family import Context, Task
from certune.core.spec import Goal, ImproveEach, goal_metrics
from certune.ledger import Ledger
from certune.session import Session

LEVEL = 0.95


@dataclass(frozen=True)
class Contender:
    """An agent with the options that it runs with."""

    name: str
    factory: AgentFactory
    options: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What one run of one agent came to."""

    agent: str
    run: int
    improvement: float
    values: Mapping[str, Fraction]
    gap: float | None
    accepted: int
    spent: Spent
    stopped: str
    folder: str


@dataclass(frozen=True)
class Interval:
    """A confidence interval; `level` is what it really has, None ends are unbounded."""

    low: float | None
    high: float | None
    level: float


@dataclass(frozen=True)
class Summary:
    """One agent's runs: the median improvement with its interval, and what they cost."""

    agent: str
    outcomes: tuple[Outcome, ...]
    median: float
    interval: Interval
    chance: bool


Answer: TypeAlias = Literal["better", "worse", "equal", "not-shown"]


@dataclass(frozen=True)
class Pair:
    """Two agents: the ratio of their improvements with its interval, and what that shows."""

    first: str
    second: str
    ratio: float
    interval: Interval
    answer: Answer


@dataclass(frozen=True)
class Table:
    """All agents, the best median first, and every pair of them."""

    summaries: tuple[Summary, ...]
    pairs: tuple[Pair, ...]


def improvement(goal: Goal, baseline: Mapping[str, Fraction], best: Incumbent) -> float:
    """How many times better than the baseline the incumbent is; 1 where it is the baseline."""
    points = goal.points if isinstance(goal, ImproveEach) else ()
    weights = {point.metric.name: float(point.weight) for point in points}
    total = weight_sum = 0.0
    for metric in goal_metrics(goal):
        held, start = best.values.get(metric.name), baseline.get(metric.name)
        if held is None or start is None or held == 0 or start == 0:
            continue
        ratio = start / held if metric.better == "lower" else held / start
        weight = weights.get(metric.name, 1.0)
        total += weight * math.log(ratio)
        weight_sum += weight
    return math.exp(total / weight_sum) if weight_sum else 1.0


def _gap(session: Session) -> float | None:
    """The greatest gap of the incumbent to a proven bound among the goal metrics."""
    gaps = []
    for metric in goal_metrics(session.task.spec.goal):
        bound = best_bound(metric, session.bounds)
        held = session.incumbent.values.get(metric.name)
        gap = metric.gap(held, bound.value) if bound is not None and held is not None else None
        if gap is not None:
            gaps.append(float(gap))
    return max(gaps, default=None)


def _seeded(contender: Contender, run: int) -> Mapping[str, str]:
    """The contender's options, with a seed of this run's own where it takes one."""
    given = dict(contender.options)
    if "seed" in given:
        seeded = given | {"seed": str(int(given["seed"]) + run * 10**6)}
    else:
        seeded = given | {"seed": str(run * 10**6)}
    try:
        contender.factory(AgentSetup(seeded, lambda: iter(())))
    except ConfigurationError:
        return given
    return seeded


def run_once(
    task: Task, contender: Contender, run: int, budget: Budget, folder: Path, context: Context
) -> tuple[Outcome, bool]:
    """One run in a ledger of its own, and whether chance or the clock had a part in it.

    Raises:
        InfrastructureError: the agent had trouble of its own; nothing can be compared then.
    """
    where = folder / f"{contender.name}-{run}"
    options = _seeded(contender, run)
    with Ledger.open(where) as ledger:
        session = Session.start(
            ledger,
            task,
            agent=contender.name,
            options=options,
            budget=budget,
            rivals=(),
            context=context,
        )
        agent = session.make_agent(contender.factory)
        ended = session.run(agent)
        if ended.trouble is not None:
            raise ended.trouble
        goal = task.spec.goal
        if goal_metrics(goal):
            start = session.baseline.measurement.values if session.baseline else {}
            score = improvement(goal, start, session.incumbent)
        else:
            score = 2.0 if ended.accepted else 1.0
        outcome = Outcome(
            agent=contender.name,
            run=run,
            improvement=score,
            values=dict(session.incumbent.values),
            gap=_gap(session),
            accepted=len(ended.accepted),
            spent=session.spent,
            stopped=ended.stopped,
            folder=str(where),
        )
        timed = ended.stopped == "budget" and ended.detail == "seconds"
        return outcome, timed or not agent.deterministic or "seed" in options


def compare(
    task: Task,
    contenders: Sequence[Contender],
    budget: Budget,
    folder: Path,
    *,
    runs: int = 6,
    context: Context | None = None,
    level: float = LEVEL,
    watch: Callable[[Outcome], None] = lambda _: None,
) -> Table:
    """Run every contender `runs` times within `budget` each, turn about, and compare them.

    One that neither chance nor the clock can change runs once, and its result stands for all.

    Raises:
        InvalidInput: fewer than one run, or an agent twice.
        InfrastructureError: an agent had trouble of its own.
    """
    names = [contender.name for contender in contenders]
    if len(set(names)) != len(names) or not names:
        raise InvalidInput("name each agent once", place="--agents")
    if runs < 1:
        raise InvalidInput("at least one run is needed", place="--runs")
    found: dict[str, list[Outcome]] = {name: [] for name in names}
    chance: dict[str, bool] = {}
    for run in range(runs):
        for contender in contenders:
            if chance.get(contender.name, True):
                outcome, by_chance = run_once(
                    task, contender, run, budget, folder, context or Context()
                )
                found[contender.name].append(outcome)
                chance[contender.name] = chance.get(contender.name, False) or by_chance
                watch(outcome)
    return summarise(found, chance, runs, level)


def summarise(
    found: Mapping[str, Sequence[Outcome]], chance: Mapping[str, bool], runs: int, level: float
) -> Table:
    """The table of outcomes, each agent's by name; `chance` tells whose may vary."""
    scores = {}
    summaries = []
    for name, outcomes in found.items():
        values = [outcome.improvement for outcome in outcomes]
        scores[name] = values if chance[name] else values * runs
        spread = Interval(values[0], values[0], 1.0)
        if chance[name]:
            spread = median_interval(values, level)
        middle = _median(values)
        summaries.append(Summary(name, tuple(outcomes), middle, spread, chance[name]))
    summaries.sort(key=lambda summary: -summary.median)
    order = [summary.agent for summary in summaries]
    count = max(1, math.comb(len(order), 2))
    each = 1 - (1 - level) / count
    pairs = []
    for first, second in combinations(order, 2):
        certain = not chance[first] and not chance[second]
        pairs.append(_pair(first, second, scores[first], scores[second], each, certain))
    return Table(tuple(summaries), tuple(pairs))


def _pair(
    first: str, second: str, a: Sequence[float], b: Sequence[float], level: float, certain: bool
) -> Pair:
    ratio = _median([x / y for x in a for y in b])
    interval = Interval(ratio, ratio, 1.0) if certain else ratio_interval(a, b, level)
    answer: Answer = "not-shown"
    if certain and ratio == 1:
        answer = "equal"
    elif interval.low is not None and interval.low > 1:
        answer = "better"
    elif interval.high is not None and interval.high < 1:
        answer = "worse"
    return Pair(first, second, ratio, interval, answer)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def median_interval(values: Sequence[float], level: float) -> Interval:
    """The interval of order statistics for the median; all values where they are too few."""
    ordered = sorted(values)
    count = len(ordered)
    outside = 0.0  # the chance that so few values fall below the median
    chosen, reached = 0, 1 - 2 * 0.5**count
    for depth in range((count - 1) // 2 + 1):
        outside += math.comb(count, depth) * 0.5**count
        if 1 - 2 * outside < level:
            break
        chosen, reached = depth, 1 - 2 * outside
    return Interval(ordered[chosen], ordered[count - 1 - chosen], max(0.0, reached))


def _rank_sums(n: int, m: int) -> list[int]:
    """How many of the orders of n and m values have each Mann-Whitney statistic 0 … n*m."""
    ways = [[0] * (n * m + 1) for _ in range(n + 1)]
    ways[0][0] = 1
    for rank in range(n + m):
        for chosen in range(min(n, rank + 1), 0, -1):
            shift = rank - (chosen - 1)  # values of the other sample below this one
            for total in range(n * m, shift - 1, -1):
                ways[chosen][total] += ways[chosen - 1][total - shift]
    return ways[n]


def ratio_interval(a: Sequence[float], b: Sequence[float], level: float) -> Interval:
    """The Hodges-Lehmann interval for how many times greater `a` is than `b`.

    Its ends are unbounded where there are too few values for this level.
    """
    ratios = sorted(x / y for x in a for y in b)
    ways = _rank_sums(len(a), len(b))
    total = math.comb(len(a) + len(b), len(a))
    depth, below = 0, 0
    while depth < len(ways) and 1 - 2 * (below + ways[depth]) / total >= level:
        below += ways[depth]
        depth += 1
    if depth == 0:
        return Interval(None, None, 1.0)
    return Interval(ratios[depth - 1], ratios[len(ratios) - depth], 1 - 2 * below / total)

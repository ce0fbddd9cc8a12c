"""Evolution with a model as its operator: islands, each with an archive of what is worth keeping.

An archive holds the attempts that no other of its island beats at every goal metric (its Pareto
front) and the nearest misses. Each round takes one or two parents from one island and asks for a
descendant; now and then an island also sees its neighbour's. Everything follows from the history
and the seed, so an interrupted session goes on as it would have.

The shape is that of island-model program search (Romera-Paredes et al., Nature 625, 2024).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from certune.agents.model import read_model
from certune.agents.options import Options
from certune.agents.prompt import Prompt, render
from certune.agents.rounds import Rounds
from certune.agents.selection import Chosen, best_first, choose, nearest_misses
from certune.core.agent import AgentSetup, Brief, History, PayloadFormat
from certune.core.canonical import Json
from certune.core.spec import Goal, Metric, goal_metrics
from certune.core.trial import Proposal, Trial

_KEPT = 8
_CROSS = 0.4  # how often two parents are taken
_MISS = 0.3  # how often a parent is a near miss, where there are also correct ones


def _dominates(metrics: Sequence[Metric], a: Trial, b: Trial) -> bool:
    """Whether `a` is at least as good as `b` at every metric and better at one."""
    better = False
    for metric in metrics:
        first = _value(a, metric)
        second = _value(b, metric)
        if metric.improves(second, first):
            return False
        better = better or metric.improves(first, second)
    return better


def _value(trial: Trial, metric: Metric) -> Fraction:
    assert trial.measurement is not None
    return trial.measurement.values[metric.name]


def archive(goal: Goal, trials: Sequence[Trial]) -> tuple[list[Trial], list[Trial]]:
    """The Pareto front of the correct attempts, and the nearest misses; each at most a few."""
    metrics = goal_metrics(goal)
    correct = [
        trial
        for trial in best_first(goal, trials)
        if not metrics
        or (trial.measurement and all(m.name in trial.measurement.values for m in metrics))
    ]
    front = [t for t in correct if not any(_dominates(metrics, other, t) for other in correct)]
    return front[:_KEPT], nearest_misses(trials)[:_KEPT]


class Islands:
    """Prompts whose attempts are the parents that an island offers."""

    name = "evolve"

    def __init__(self, islands: int, migrate: int, seed: int) -> None:
        self._islands = islands
        self._migrate = migrate
        self._seed = seed

    def parents(
        self, goal: Goal, trials: Sequence[Trial], number: int
    ) -> tuple[int, tuple[Trial, ...]]:
        """The island of round `number`, and the parents that it takes."""
        island = number % self._islands
        generation = number // self._islands
        seen = {island}
        if self._migrate and generation and generation % self._migrate == 0:
            seen.add((island - 1) % self._islands)
        known = [trial for trial in trials if trial.provenance.get("island") in seen]
        front, misses = archive(goal, known)
        draw = random.Random(f"{self._seed} {number}")  # noqa: S311
        chosen: list[Trial] = []
        for _ in range(2 if draw.random() < _CROSS else 1):
            groups = [group for group in (front, misses) if group]
            if not groups:
                break
            group = groups[-1] if len(groups) > 1 and draw.random() < _MISS else groups[0]
            trial = draw.choice(group)
            if trial not in chosen:
                chosen.append(trial)
        return island, tuple(chosen)

    def prompt(
        self,
        brief: Brief,
        history: History,
        trials: Sequence[Trial],
        number: int,
        chosen: PayloadFormat,
        tokens: int,
    ) -> tuple[Prompt, Mapping[str, Json]]:
        """See `certune.agents.rounds.Policy`."""
        goal = brief.spec.goal
        island, parents = self.parents(goal, trials, number)
        attempts = Chosen(parents, choose(goal, trials).sentences)
        wish = ""
        if len(parents) == 1:
            wish = f"Change trial {parents[0].number} into a candidate that is better"
        elif parents:
            wish = (
                f"Combine what is good in trials {parents[0].number} and {parents[1].number} "
                "into one candidate that is better than both"
            )
        prompt = render(
            brief,
            history,
            trials=trials if parents else (),
            chosen=chosen,
            tokens=tokens,
            attempts=attempts,
            wish=wish,
        )
        return prompt, {"island": island, "parents": [trial.number for trial in parents]}


class Evolve:
    """Evolution by a language model: islands with Pareto archives, parents and descendants."""

    name = "evolve"
    deterministic = False
    asks_model = True  # takes base_url and model

    def __init__(self, setup: AgentSetup) -> None:
        options = Options(self.name, setup.options)
        islands = options.integer("islands", 3, 1, 64)
        migrate = options.integer("migrate", 4, 0, 1000)
        chat, manner = read_model(options, setup)
        options.close()
        self._rounds = Rounds(setup, chat, manner, Islands(islands, migrate, manner.seed))

    def propose(self, brief: Brief, history: History) -> Iterator[Proposal]:
        """Yield descendants, island after island."""
        return self._rounds.propose(brief, history)

"""Time-expanded greedy search with random restarts, for topologies beyond exact synthesis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import takewhile

import numpy as np

from certune.core import Bound, Context, Payload
from certune.tasks.collective.cost import Profile, profile
from certune.tasks.collective.schedule import Schedule, dump_schedule
from certune.tasks.collective.solvers.compose import compose, reverse
from certune.tasks.collective.solvers.exact import FORMAT
from certune.tasks.collective.solvers.network import Int, Network, network
from certune.tasks.collective.solvers.problem import DUALS, Problem, chunks_of
from certune.tasks.collective.solvers.route import route
from certune.tasks.collective.solvers.sccl import trimmed
from certune.tasks.collective.solvers.spread import spread

_MOST_STEPS = 4096
_CHUNKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_EVERYWHERE = ("allgather", "broadcast")


@dataclass(frozen=True)
class GreedySynthesis:
    """Better and better schedules from `restarts` random tries of each setting.

    A setting is a number of chunks a rank and the length of a step: as long as the slowest link
    takes for 1, 2, 4, … chunks, or as long as it may be (fewest steps). Settings whose
    schedules would have more than `sends` sends are left out, and the search ends when all
    tries together had about `work` of them. Where the objective is bandwidth it also ends when
    `bandwidth` is met, a proven bound in GB/s, for an allreduce that of the allgather in it.
    The sequence depends on these numbers and the problem alone.
    """

    problem: Problem
    bandwidth: Fraction | None = None
    seed: int = 0
    restarts: int = 4
    sends: int = 100_000
    work: int = 800_000

    name = "greedy"

    @property
    def covers(self) -> bool:
        """Whether a schedule of one chunk a rank has few enough sends."""
        return self._fits(1)

    def solve(self, context: Context) -> Iterator[Payload | Bound]:
        """Yield a payload whenever the problem's objective has improved."""
        best = _Best(self.problem)
        for schedule in self.schedules(context.stopped):
            cost = profile(schedule, self.problem.topology)
            if best.improved_by(cost):
                yield Payload(FORMAT, dump_schedule(schedule))
            if self._met(cost):
                return

    def _met(self, cost: Profile) -> bool:
        if self.bandwidth is None or self.problem.objective != "bandwidth":
            return False
        # Two halves, each at its bound, are the best that composition can give.
        halves = 2 if self.problem.kind == "allreduce" else 1
        return cost.bandwidth * halves >= self.bandwidth

    def schedules(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[Schedule]:
        """Every schedule found, in order."""
        problem = self.problem
        if problem.kind == "allreduce":
            halves = [replace(problem, kind="reduce-scatter"), replace(problem, kind="allgather")]
        else:
            halves = [problem]
        direct = [half.direct for half in halves]
        networks = [network(half.topology) for half in direct]
        work = 0.0
        for number, (attempt, chunks, length) in enumerate(self._settings()):
            work += self._size(chunks) * len(halves)
            if number and work > self.work:
                return
            parts = []
            for half, one, net in zip(halves, direct, networks, strict=True):
                if stopped():
                    return
                # Each try has its own stream, so that tries do not depend on one another.
                generator = np.random.Generator(np.random.PCG64([self.seed, attempt, number]))
                schedule = _construct(one, net, chunks, length, generator)
                if schedule is not None:
                    parts.append(reverse(schedule) if half.kind in DUALS else schedule)
            if len(parts) == len(halves):
                yield parts[0] if len(parts) == 1 else compose(*parts)

    def _settings(self) -> Iterator[tuple[int, int, int | None]]:
        """(attempt, chunks a rank, chunks on the slowest link in a step); cheap ones first."""
        lengths: tuple[int | None, ...] = (None, 1, 2, 4, 8)
        if self.problem.objective == "latency":
            lengths = (None,)
        fits = list(takewhile(self._fits, _CHUNKS))
        for attempt in range(self.restarts):
            for chunks in fits:
                for length in lengths:
                    if length is None and chunks > 1:
                        continue
                    if length is None or length <= chunks:
                        yield attempt, chunks, length

    def _fits(self, chunks: int) -> bool:
        return self._size(chunks) <= self.sends

    def _size(self, chunks: int) -> float:
        """About how many sends a schedule has."""
        direct = self.problem.direct
        collective = direct.collective(chunks)
        if direct.kind in _EVERYWHERE:
            return collective.chunks * collective.ranks
        if collective.chunks > self.sends:  # too many, and distances would take too long
            return collective.chunks
        return collective.chunks * self._mean_distance

    @cached_property
    def _mean_distance(self) -> float:
        return float(network(self.problem.topology).distance.mean())


def _construct(
    problem: Problem, net: Network, chunks: int, length: int | None, generator: np.random.Generator
) -> Schedule | None:
    collective = problem.collective(chunks)
    room = net.room(None if length is None else length / net.slowest)
    wanted = chunks_of(collective)
    sources: Int = np.array([chunk.source for chunk in wanted], dtype=np.int64)
    if problem.kind in _EVERYWHERE:
        sends = spread(net, sources, room, generator, _MOST_STEPS)
    else:
        targets: Int = np.array([chunk.targets[0] for chunk in wanted], dtype=np.int64)
        sends = route(net, sources, targets, room, generator, _MOST_STEPS)
    return None if sends is None else problem.schedule(chunks, trimmed(wanted, sends))


class _Best:
    """What is best so far in each number that the objective looks at."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._costs: list[Fraction] | None = None

    def improved_by(self, cost: Profile) -> bool:
        costs = self._look(cost)
        if self._costs is None:
            self._costs = costs
            return True
        better = [min(new, old) for new, old in zip(costs, self._costs, strict=True)]
        improved = better != self._costs
        self._costs = better
        return improved

    def _look(self, cost: Profile) -> list[Fraction]:
        if self._problem.objective == "latency":
            return [cost.latency]
        if self._problem.objective == "bandwidth":
            return [1 / cost.bandwidth]
        return [cost.time(size) for size in self._problem.sizes]

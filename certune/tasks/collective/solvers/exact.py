"""Exact synthesis: SCCL's walk along the Pareto frontier of steps and rounds per chunk.

Cai et al., PPoPP 2021, with the walk changed where monotony saves queries: a schedule of R
rounds is one of R + 1, so for each number of steps and chunks the rounds go down from what is
known, each success being a better candidate, until a query has no model. That is one
infeasibility for each (chunks, steps) instead of one for each (chunks, steps, rounds).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from certune.core import Answer, Bound, Context, Payload, Prover, Query, Unavailable
from certune.tasks.collective.bounds import bandwidth_bound
from certune.tasks.collective.cost import BYTES_PER_MICROSECOND, profile
from certune.tasks.collective.schedule import Schedule, dump_schedule, from_sends
from certune.tasks.collective.solvers import infeasible
from certune.tasks.collective.solvers.compose import compose, refine, reverse
from certune.tasks.collective.solvers.doubling import doubling
from certune.tasks.collective.solvers.problem import DUALS, Problem
from certune.tasks.collective.solvers.sccl import distances, encode

FORMAT = "certune-schedule"


@dataclass(frozen=True)
class Reach:
    """How far the search goes. All limits are counted, none is a clock's but the last.

    `chunks` a rank at most (None: by collective), `steps` beyond the fewest possible, `rounds`
    beyond the fewest possible while no schedule is known, `sends` variables in one query,
    `failures` queries that used up the prover's resources. `seconds`
    is a wide limit on one query; the prover's own limit on conflicts should end it before.
    """

    chunks: int | None = None
    steps: int = 3
    rounds: int = 64
    sends: int = 16_000
    failures: int = 3
    seconds: float = 600.0

    def chunks_for(self, problem: Problem) -> int:
        """The most chunks a rank for this problem."""
        if self.chunks is not None:
            return self.chunks
        return {"broadcast": 20, "alltoall": 4}.get(problem.kind, 8)

    def covers(self, problem: Problem) -> bool:
        """Whether there is a query about one chunk a rank that is small enough."""
        direct = problem.direct
        return self.may_ask(direct, 1, 1) and self.may_ask(direct, 1, fewest_steps(direct))

    def quick(self, problem: Problem) -> bool:
        """Whether the first query is so small that it comes before the greedy search."""
        direct = problem.direct
        return self.size(direct, 1, fewest_steps(direct)) <= self.sends

    def may_ask(self, problem: Problem, chunks: int, steps: int) -> bool:
        """Whether a query can be small enough; most send variables are pruned, but not so many."""
        return self.size(problem, chunks, steps) <= 20 * self.sends

    def size(self, problem: Problem, chunks: int, steps: int) -> int:
        """Send variables before any pruning."""
        return problem.collective(chunks).chunks * len(problem.topology.links) * steps


@dataclass(frozen=True)
class Found:
    """A schedule of `chunks` chunks a rank, and its rounds."""

    chunks: int
    rounds: int
    schedule: Schedule


@dataclass(frozen=True)
class Refuted:
    """There is no schedule of so many chunks, steps and rounds."""

    chunks: int
    steps: int
    rounds: int
    query: Query
    answer: Answer


class _Ended(Exception):
    """A query ran out of time, or the session was asked to stop."""


@dataclass(frozen=True)
class Walk:
    """The walk for a problem with a direct encoding.

    `bandwidth` in GB/s is a proven bound: what would beat it is not asked for, and a schedule
    that attains it ends the walk.
    """

    problem: Problem
    reach: Reach
    bandwidth: Fraction
    prover: Prover
    stopped: Callable[[], bool]
    _failed: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def points(self) -> Iterator[Found | Refuted]:
        """Better and better schedules by steps, then chunks, and what was shown impossible.

        The first schedule has the fewest steps. Ends when the bandwidth bound is met, when the
        objective can gain no more, when the reach is exhausted, or when a query ran out of
        time: what was yielded until then is the beginning of what is yielded with more time. A
        query that ran out of the prover's own resources is passed over, but not too many.
        """
        self._failed.clear()
        try:
            yield from self._points()
        except _Ended:
            return

    def _points(self) -> Iterator[Found | Refuted]:
        problem = self.problem
        least = problem.collective(1).pieces * problem.unit / self.bandwidth
        best: Fraction | None = None  # rounds per chunk
        times: dict[int, Fraction] = {}
        first = fewest_steps(problem)
        for steps in range(first, first + self.reach.steps + 1):
            if best is not None and not self._gains(steps, times):
                return
            for chunks in range(1, self.reach.chunks_for(problem) + 1):
                search = self._climb if best is None else self._descend
                for point in search(chunks, steps, best):
                    yield point
                    if isinstance(point, Refuted):
                        continue
                    best = Fraction(point.rounds, point.chunks)
                    cost = profile(point.schedule, problem.topology)
                    for size in problem.sizes:
                        time = cost.time(size)
                        times[size] = min(time, times.get(size, time))
                if best is not None and (best <= least or problem.objective == "latency"):
                    return

    def _climb(self, chunks: int, steps: int, _: None | Fraction) -> Iterator[Found | Refuted]:
        """While nothing is known: more rounds until there is a schedule."""
        refuted: Refuted | None = None
        start = self._fewest(chunks, steps)
        for rounds in range(start, start + self.reach.rounds + 1):
            point = self._ask(chunks, steps, rounds)
            if isinstance(point, Found):
                if refuted is not None:
                    yield refuted
                yield point
                return
            refuted = point or refuted
        if refuted is not None:
            yield refuted

    def _descend(self, chunks: int, steps: int, best: Fraction | None) -> Iterator[Found | Refuted]:
        """Fewer rounds per chunk than the best known, until there is no schedule."""
        assert best is not None
        rounds = ceil(best * chunks) - 1
        while rounds >= self._fewest(chunks, steps):
            point = self._ask(chunks, steps, rounds)
            if point is not None:
                yield point
            if not isinstance(point, Found):
                return
            rounds = point.rounds - 1

    def _fewest(self, chunks: int, steps: int) -> int:
        """Rounds below which there is nothing to ask: each step that sends takes a round."""
        return max(steps, self.problem.fewest_rounds(chunks, self.bandwidth))

    def _ask(self, chunks: int, steps: int, rounds: int) -> Found | Refuted | None:
        """None where the query is too large or used up the prover's resources."""
        if self.stopped():
            raise _Ended
        problem = self.problem
        if not self.reach.may_ask(problem, chunks, steps):
            return None
        encoding = encode(problem.instance(chunks, steps, rounds))
        if len(encoding.sends) > self.reach.sends:
            return None
        answer = self.prover.decide(encoding.query, seconds=self.reach.seconds)
        if answer.result == "unknown":
            self._failed.append(encoding.query.digest)
            ran_out_of_time = answer.resources == 0 or self.stopped()
            if ran_out_of_time or len(self._failed) >= self.reach.failures:
                raise _Ended
            return None
        if answer.result == "unsat":
            return Refuted(chunks, steps, rounds, encoding.query, answer)
        assert answer.model is not None
        schedule = problem.schedule(chunks, encoding.decode(answer.model))
        return Found(chunks, profile(schedule, problem.topology).rounds, schedule)

    def _gains(self, steps: int, times: dict[int, Fraction]) -> bool:
        """Whether a schedule of so many steps could be better at some size, or there is none."""
        problem = self.problem
        if problem.objective not in ("time", "frontier"):
            return True
        alpha = steps * min(link.alpha for link in problem.topology.links)
        rate = self.bandwidth * BYTES_PER_MICROSECOND
        return any(alpha + size / rate < times.get(size, alpha) for size in problem.sizes)


def fewest_steps(problem: Problem) -> int:
    """The greatest distance that a chunk has to go."""
    most = 1
    away: dict[int, list[int]] = {}
    for chunk in set(problem.instance(1, 1, 1).chunks):
        if chunk.source not in away:
            away[chunk.source] = distances(problem.topology.ranks, problem.links, [chunk.source])
        most = max(most, *(away[chunk.source][target] for target in chunk.targets))
    return most


@dataclass(frozen=True)
class ExactSynthesis:
    """Candidates and proven infeasibilities for one problem (`Walk.points`).

    Reductions are solved backwards (`Problem.dual`); an allreduce is a reduce-scatter followed
    by an allgather (and for small messages what `doubling` finds), for which nothing is claimed
    about other schedules. `bandwidth` is the
    proven bound in GB/s for the problem itself; for an allreduce, for the allgather in it.
    """

    problem: Problem
    bandwidth: Fraction
    reach: Reach = Reach()

    name = "exact"

    def solve(self, context: Context) -> Iterator[Payload | Bound]:
        """Yield schedules as payloads and infeasibilities as bounds, in a fixed order.

        The order depends on the problem and the prover's answers, never on the clock: if a
        query runs out of time, or the session is stopped, the sequence ends early.

        Raises:
            Unavailable: there is no prover, or it lacks a solver.
            Crashed: the solver died.
        """
        if context.prover is None:
            raise Unavailable("exact synthesis needs a prover")
        if self.problem.kind == "allreduce":
            yield from self._allreduce(context.prover, context.stopped)
            return
        backwards = self.problem.kind in DUALS
        direct, prover = self.problem.direct, context.prover
        walk = Walk(direct, self.reach, self.bandwidth, prover, context.stopped)
        for point in walk.points():
            if isinstance(point, Found):
                schedule = reverse(point.schedule) if backwards else point.schedule
                yield Payload(FORMAT, dump_schedule(schedule))
            else:
                numbers = (point.chunks, point.steps, point.rounds)
                yield infeasible.bound(self.problem, *numbers, point.query, point.answer)

    def _allreduce(self, prover: Prover, stopped: Callable[[], bool]) -> Iterator[Payload]:
        if self.problem.objective != "bandwidth":
            yield from self._doubled(prover, stopped)
        forward = replace(self.problem, kind="allgather")
        backward = replace(forward, kind="reduce-scatter").dual
        halves = [Walk(forward, self.reach, self.bandwidth, prover, stopped)]
        if (backward.links, backward.capacities) != (forward.links, forward.capacities):
            bound = bandwidth_bound("allgather", backward.topology).value
            halves.append(Walk(backward, self.reach, bound, prover, stopped))
        walks = [_schedules(walk) for walk in halves]
        latest: list[Schedule | None] = [None] * len(halves)
        running = list(range(len(halves)))
        while running:
            for index in list(running):
                found = next(walks[index], None)
                if found is None:
                    running.remove(index)
                    continue
                latest[index] = found
                gather, scatter = latest[0], latest[-1]
                if gather is not None and scatter is not None:
                    yield Payload(FORMAT, dump_schedule(_both(reverse(scatter), gather)))

    def _doubled(self, prover: Prover, stopped: Callable[[], bool]) -> Iterator[Payload]:
        """An allreduce in fewer steps than two halves take, where `doubling` has one."""
        problem = self.problem
        ranks, links = problem.topology.ranks, problem.links
        fewest = fewest_steps(problem.direct)
        for steps in range(fewest, 2 * fewest):
            if ranks * len(links) * steps > self.reach.sends or stopped():
                return
            query, sends = doubling(ranks, links, steps)
            answer = prover.decide(query, seconds=self.reach.seconds)
            if answer.result == "unknown" and not answer.resources:
                return
            if answer.model is not None:
                used = [(*sends[x], True) for x in answer.model if x in sends]
                yield Payload(FORMAT, dump_schedule(from_sends(problem.collective(1), used)))
                return


def _schedules(walk: Walk) -> Iterator[Schedule]:
    return (point.schedule for point in walk.points() if isinstance(point, Found))


def _both(first: Schedule, second: Schedule) -> Schedule:
    """`first`, then `second`, cut into the fewest pieces that both can be cut into."""
    one, two = first.collective.pieces, second.collective.pieces
    least = Fraction(one, two)
    return compose(refine(first, least.denominator), refine(second, least.numerator))

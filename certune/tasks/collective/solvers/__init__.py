"""Built-in search for collective schedules."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from certune.core import Solver
from certune.tasks.collective.solvers.exact import ExactSynthesis, Reach
from certune.tasks.collective.solvers.greedy import GreedySynthesis
from certune.tasks.collective.solvers.problem import Problem


def of(problem: Problem, bandwidth: Fraction) -> Sequence[Solver]:
    """The solvers for `problem` in the order in which they should run.

    Exact synthesis where its smallest query is within its reach, then the greedy search where
    its smallest schedule is. `bandwidth` is a proven bound in GB/s; for an allreduce that of
    the allgather in it.
    """
    solvers: list[Solver] = []
    if Reach().covers(problem):
        solvers.append(ExactSynthesis(problem, bandwidth))
    greedy = GreedySynthesis(problem, bandwidth)
    if greedy.covers:
        solvers.append(greedy)
    return tuple(solvers)

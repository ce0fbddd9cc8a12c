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

    Exact synthesis where its smallest query is within its reach, the greedy search where its
    smallest schedule is; the greedy search first where the exact one may take minutes to begin.
    `bandwidth` is a proven bound in GB/s; for an allreduce that of the allgather in it.
    """
    reach = Reach()
    greedy = GreedySynthesis(problem, bandwidth)
    solvers: list[Solver] = [greedy] if greedy.covers else []
    if reach.covers(problem):
        first = 0 if reach.quick(problem) else len(solvers)
        solvers.insert(first, ExactSynthesis(problem, bandwidth, reach))
    return tuple(solvers)

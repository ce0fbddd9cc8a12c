"""Built-in search for collective schedules."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from certune.core.family import Solver
from certune.tasks.collective.solvers.exact import ExactSynthesis
from certune.tasks.collective.solvers.problem import Problem


def of(problem: Problem, bandwidth: Fraction) -> Sequence[Solver]:
    """The solvers for a problem in the order in which they should run.

    `bandwidth` is a proven bound in GB/s.
    """
    return (ExactSynthesis(problem, bandwidth),)

"""Families of schedules given by a generator, proved for every number of ranks.

`FAMILIES` are built in; `prove` shows one right, `instantiate` makes one of its schedules.
docs/parametric.md explains the description and what exactly is proved.
"""

from certune.tasks.collective.parametric.description import ParametricSchedule, parse_family
from certune.tasks.collective.parametric.families import FAMILIES
from certune.tasks.collective.parametric.instances import instantiate, members, shapes
from certune.tasks.collective.parametric.proof import Proof, prove, prove_family, report

__all__ = [
    "FAMILIES",
    "ParametricSchedule",
    "Proof",
    "instantiate",
    "members",
    "parse_family",
    "prove",
    "prove_family",
    "report",
    "shapes",
]

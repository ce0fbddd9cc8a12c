"""Small counterexamples to claims: every value of every variable, for small parameters.

A solver's ``sat`` is about the weakened, linear query and may be spurious. What is found here
is not: the claim itself is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from certune.core import Counterexample, InvalidInput, Json
from certune.tasks.collective.parametric.claims import Claim
from certune.tasks.collective.parametric.description import STEP, Parameter
from certune.tasks.collective.parametric.evaluate import Value, evaluate, number
from certune.tasks.collective.parametric.instances import mesh

_CELLS = 2**17  # values of all variables together, for one step of one member
_WORK = 2**24  # operators times values at once: bounds the memory
_TOTAL = 2**28  # operators times values for one claim: bounds the time
_OVERHEAD = 1_000  # one operator on a small array takes as long as on so many values
_SPREAD = 12  # parameters are tried from their least value to this much above


def counterexample(claim: Claim, parameters: tuple[Parameter, ...]) -> Counterexample | None:
    """The smallest parameters, then values, for which `claim` is false; None if none is found."""
    nodes = claim.goal.nodes + sum(term.nodes for term in claim.hypotheses)
    cells = min(_CELLS, _WORK // nodes)
    left = _TOTAL // nodes
    for sizes in _small(parameters):
        try:
            for constants, counts in _grids(claim, sizes):
                amount = prod(counts)
                left -= amount + _OVERHEAD
                if amount > cells or left < 0:
                    return None
                found = _first(claim, constants, counts)
                if found is not None:
                    return _told(claim, found)
        except InvalidInput as error:
            return _told(claim, sizes, f" ({error})")
    return None


def _small(parameters: tuple[Parameter, ...]) -> Iterator[dict[str, int]]:
    """Values of the parameters, by their sum."""
    spread = _SPREAD if len(parameters) == 1 else _SPREAD // 3
    offsets = product(range(spread + 1), repeat=min(len(parameters), 3))
    for extra in sorted(offsets, key=lambda values: (sum(values), values)):
        padded = (*extra, *(0 for _ in parameters[len(extra) :]))
        yield {p.name: p.least + more for p, more in zip(parameters, padded, strict=True)}


def _grids(claim: Claim, sizes: dict[str, int]) -> Iterator[tuple[dict[str, int], list[int]]]:
    """Constants, and how many values each other variable has: one pair for each step."""
    first = claim.variables[0] if claim.variables else None
    stepped = first is not None and first.name == STEP
    steps = range(number(first.count, sizes)) if stepped and first is not None else (None,)
    for step in steps:
        constants = sizes if step is None else {**sizes, STEP: step}
        axes = claim.variables[1:] if stepped else claim.variables
        yield constants, [max(0, number(axis.count, constants)) for axis in axes]


def _first(claim: Claim, constants: dict[str, int], counts: list[int]) -> dict[str, int] | None:
    axes = claim.variables[1:] if STEP in constants else claim.variables
    values: dict[str, Value] = {**constants, **mesh(axes, counts)}
    wrong = np.logical_not(evaluate(claim.goal, values))
    for term in claim.hypotheses:
        wrong = np.logical_and(wrong, evaluate(term, values))
    at = np.argwhere(np.broadcast_to(wrong, counts))
    if not len(at):
        return None
    return constants | {axis.name: int(i) for axis, i in zip(axes, at[0], strict=True)}


def _told(claim: Claim, values: dict[str, int], why: str = "") -> Counterexample:
    shown = ", ".join(f"{key} = {value}" for key, value in values.items())
    place = f"in phase {claim.place}, " if claim.place else ""
    data: dict[str, Json] = {"claim": claim.name, **values}
    return Counterexample(f"{place}it is not so that {claim.says}: {shown}{why}", data)

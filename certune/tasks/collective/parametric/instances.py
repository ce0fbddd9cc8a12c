"""Members of a family as concrete schedules, from the same description as the proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from certune.core import InvalidInput
from certune.tasks.collective.collective import MAX_RANKS, Collective
from certune.tasks.collective.parametric.description import STEP, ParametricSchedule
from certune.tasks.collective.parametric.evaluate import Value, evaluate, number
from certune.tasks.collective.parametric.model import Axis, Model, Rule, model_of
from certune.tasks.collective.schedule import MAX_SENDS, MAX_STEPS, Schedule

Int = npt.NDArray[np.int64]

WORK = 2**31  # operators times values for one member: bounds the time
_STEP_WORK = 2**26  # the same for one rule in one step: bounds the memory
_OVERHEAD = 1_000  # one operator on a small array takes as long as on so many values
_MAX_TRIES = 200_000


class TooLarge(InvalidInput):
    """A member that is not made because it is too large; it says nothing about the family."""


def instantiate(family: ParametricSchedule, ranks: int, **given: int) -> Schedule:
    """The member of `family` with that many ranks, in normal form.

    Where several have as many (a two-level family on 8 ranks is 2 x 4 or 4 x 2), `given` says
    the value of a parameter.

    Raises:
        InvalidInput: no or several members fit, a send leaves the ranks or chunks, a step or
            a count is negative, or the schedule is too large.
    """
    model = model_of(family)
    fits = [
        parameters
        for parameters in shapes(family, ranks)
        if all(parameters.get(key) == value for key, value in given.items())
    ]
    if len(fits) != 1:
        listed = "; ".join(_listed(parameters) for parameters in fits[:6])
        raise InvalidInput(
            f"{family.name} has {len(fits) or 'no'} members with {ranks} ranks"
            + (f" where {_listed(given)}" if given else ""),
            place="ranks",
            remedy=f"say which: {listed}" if fits else "try another number of ranks",
        )
    return member(model, family, fits[0])


def _listed(parameters: Mapping[str, int]) -> str:
    return ", ".join(f"{key}={value}" for key, value in parameters.items())


def shapes(family: ParametricSchedule, ranks: int) -> tuple[dict[str, int], ...]:
    """The parameters of all members with that many ranks.

    It is taken that the number of ranks does not fall while a parameter grows.

    Raises:
        InvalidInput: not 2 to 4096 ranks.
    """
    if not 2 <= ranks <= MAX_RANKS:
        raise InvalidInput(f"{ranks} ranks", place="ranks", remedy=f"give 2 to {MAX_RANKS}")
    return tuple(p for p, n in members(family, ranks) if n == ranks)


def members(family: ParametricSchedule, most: int) -> Iterator[tuple[dict[str, int], int]]:
    """The parameters and number of ranks of all members with 2 to `most` ranks.

    Raises:
        InvalidInput: the parameters are so many that the members cannot be listed.
    """
    model = model_of(family)
    counts = [axis.count for axis in model.ranks]
    parameters = model.parameters

    tries = 0

    def ranks_of(values: Mapping[str, int]) -> int:
        nonlocal tries
        tries += 1
        if tries > _MAX_TRIES:
            raise TooLarge("too many members to list them", place="parameters")
        try:
            return prod(number(count, values) for count in counts)
        except InvalidInput:
            return most + 1

    def extend(values: dict[str, int]) -> Iterator[tuple[dict[str, int], int]]:
        at = len(values)
        for value in range(parameters[at].least, most + parameters[at].least + 1):
            tried = values | {parameters[at].name: value}
            smallest = tried | {p.name: p.least for p in parameters[at + 1 :]}
            ranks = ranks_of(smallest)
            if ranks > most:
                return
            if len(tried) < len(parameters):
                yield from extend(tried)
            elif ranks >= 2:
                yield tried, ranks

    yield from extend({})


def member(
    model: Model, family: ParametricSchedule, parameters: Mapping[str, int], *, work: int = WORK
) -> Schedule:
    """The schedule of one member; raises as `instantiate` does.

    `work` bounds the time that it takes, in operators evaluated times values.
    """
    counts = [number(axis.count, parameters) for axis in model.ranks]
    chunk_counts = [number(axis.count, parameters) for axis in model.chunks]
    if min(*counts, *chunk_counts) < 1:
        raise InvalidInput(f"no ranks or no chunks at {_listed(parameters)}", place=family.name)
    ranks = prod(counts)
    pieces = prod(chunk_counts) // (ranks if family.collective == "alltoall" else 1)
    collective = Collective(family.collective, ranks, pieces)
    rows: list[tuple[Int, ...]] = []
    total, first = 0, 0
    for stage in model.stages:
        steps = number(stage.steps, parameters)
        place = f"phase {stage.name}"
        if steps < 0:
            raise InvalidInput(f"{steps} steps at {_listed(parameters)}", place=place)
        if steps > MAX_STEPS - first:
            raise TooLarge(f"{steps} steps", place=place, remedy=f"at most {MAX_STEPS} in all")
        for step in range(steps):
            for rule in stage.rules:
                constants = {**parameters, STEP: step}
                here = f"{place}, step {step}"
                work -= _work(model, rule, constants, MAX_SENDS - total, here)
                if work < 0:
                    raise TooLarge("too many sends", place=here, remedy="take a smaller member")
                sent = _sends(model, rule, constants, here)
                total += len(sent[0])
                reduce = np.full(len(sent[0]), rule.reduce)
                rows.append((np.full(len(sent[0]), first + step), *sent, reduce))
        first += steps
    if not total:
        raise InvalidInput("there are no sends", place=family.name)
    at, source, destination, chunk, reduces = map(np.concatenate, zip(*rows, strict=True))
    added = reduces.astype(np.bool_)
    return Schedule(collective, first, at, source, destination, chunk, added).normalised()


def _work(model: Model, rule: Rule, constants: dict[str, int], most: int, place: str) -> int:
    """What one step of `rule` costs, before it is paid."""
    sizes = [number(axis.count, constants) for axis in (*model.ranks, *rule.each)]
    if min(sizes) < 0:
        raise InvalidInput("a negative count", place=place)
    cells = prod(sizes)
    nodes = sum(term.nodes for term in (rule.when, *rule.to, *rule.chunk))
    if cells > most or nodes * cells > _STEP_WORK:
        raise TooLarge(f"{cells} sends at once", place=place, remedy="take a smaller member")
    return nodes * (cells + _OVERHEAD)


def _sends(model: Model, rule: Rule, constants: dict[str, int], place: str) -> tuple[Int, Int, Int]:
    """Source, destination and chunk of every send of `rule` in one step."""
    axes = (*model.ranks, *rule.each)
    sizes = [number(axis.count, constants) for axis in axes]
    values: dict[str, Value] = {**constants, **mesh(axes, sizes)}

    def column(value: Any) -> npt.NDArray[Any]:
        return np.broadcast_to(value, sizes).reshape(-1)

    chosen = column(evaluate(rule.when, values))

    def numbered(what: str, coordinates: Iterable[Any], of: tuple[Axis, ...]) -> Int:
        index = np.zeros(int(chosen.sum()), dtype=np.int64)
        for axis, coordinate in zip(of, coordinates, strict=True):
            count = number(axis.count, constants)
            part = column(coordinate)[chosen]
            wrong = part[(part < 0) | (part >= count)]
            if wrong.size:
                raise InvalidInput(
                    f"{what} coordinate {axis.name} = {int(wrong[0])} is out of range",
                    place=place,
                    remedy=f"0 to {count - 1}",
                )
            index = index * count + part
        return index

    return (
        numbered("rank", (values[axis.name] for axis in model.ranks), model.ranks),
        numbered("rank", (evaluate(term, values) for term in rule.to), model.ranks),
        numbered("chunk", (evaluate(term, values) for term in rule.chunk), model.chunks),
    )


def mesh(axes: tuple[Axis, ...], sizes: list[int]) -> dict[str, Int]:
    """Each axis as an array along a dimension of its own, so that they broadcast."""
    return {
        axis.name: np.arange(size, dtype=np.int64).reshape(
            [-1 if i == at else 1 for i in range(len(axes))]
        )
        for at, (axis, size) in enumerate(zip(axes, sizes, strict=True))
    }

"""Exact contribution sets, and what every collective must leave in the outputs.

A value is a tuple of (input unit, bit mask of ranks): the sum of the input units of those ranks.
Where the sum would count something twice or take in something undefined, the value is a
`Spoilt` that says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from certune.tasks.collective.mscclpp.semantics.space import Space


@dataclass(frozen=True)
class Spoilt:
    """A value that is no sum of distinct contributions."""

    why: str


Value: TypeAlias = tuple[tuple[int, int], ...] | Spoilt

UNDEFINED = Spoilt("undefined memory")


def add(left: Value, right: Value) -> Value:
    """The sum of two values."""
    if isinstance(left, Spoilt):
        return left
    if isinstance(right, Spoilt):
        return right
    terms = dict(left)
    for unit, mask in right:
        twice = terms.get(unit, 0) & mask
        if twice:
            rank = (twice & -twice).bit_length() - 1
            return Spoilt(f"counts the contribution of rank {rank}'s i[{unit}] twice")
        terms[unit] = terms.get(unit, 0) | mask
    return tuple(sorted(terms.items()))


def _ranks(mask: int) -> list[int]:
    return [rank for rank in range(mask.bit_length()) if mask >> rank & 1]


def describe(value: Value | None) -> str:
    """A value in words."""
    if value is None:
        return "nothing that was written"
    if isinstance(value, Spoilt):
        return value.why
    parts = []
    for unit, mask in value:
        ranks = _ranks(mask)
        if len(ranks) == 1:
            parts.append(f"rank {ranks[0]}'s i[{unit}]")
        else:
            shown = ", ".join(map(str, ranks[:8])) + (", …" if len(ranks) > 8 else "")
            parts.append(f"the sum of i[{unit}] over ranks {shown}")
    return " plus ".join(parts[:4]) + (" …" if len(parts) > 4 else "")


def initial(space: Space) -> list[Value | None]:
    """Memory before the launch: inputs hold their own contribution, the rest is undefined."""
    memory: list[Value | None] = [None] * space.count
    for rank, gpu in enumerate(space.plan.gpus):
        for unit in range(gpu.input_chunks * space.units):
            buffer, start = space.place(rank, "i", unit, rank)
            memory[space.bases[rank][buffer] + start] = ((unit, 1 << rank),)
    return memory


def mismatch(plan_chunks: tuple[int, int], collective: str, ranks: int) -> str | None:
    """Why these chunk counts are none of the collective, or None."""
    inputs, outputs = plan_chunks
    wanted = {
        "allreduce": (inputs, inputs),
        "alltoall": (inputs, inputs),
        "allgather": (inputs, inputs * ranks),
        "reducescatter": (outputs * ranks, outputs),
    }[collective]
    if collective == "alltoall" and inputs % ranks:
        return f"{inputs} input chunks are no multiple of {ranks} ranks"
    if (inputs, outputs) != wanted:
        return (
            f"{collective} of {ranks} ranks has {wanted[0]} input and {wanted[1]} output chunks, "
            f"not {inputs} and {outputs}"
        )
    return None


def expected(space: Space) -> Iterator[tuple[int, int, int, Value]]:
    """Rank, output unit, location and value that the collective asks for."""
    plan = space.plan
    everyone = (1 << plan.ranks) - 1
    gpu = plan.gpus[0]
    # In place a plan may leave the aliased buffer's count at 0.
    inputs, outputs = gpu.input_chunks * space.units, gpu.output_chunks * space.units
    if plan.collective in ("allreduce", "alltoall"):
        inputs = outputs = max(inputs, outputs)
    for rank in range(plan.ranks):
        for unit in range(outputs):
            value: Value
            if plan.collective == "allreduce":
                value = ((unit, everyone),)
            elif plan.collective == "reducescatter":
                value = ((rank * outputs + unit, everyone),)
            elif plan.collective == "allgather":
                owner, own = divmod(unit, inputs)
                value = ((own, 1 << owner),)
            else:
                owner, own = divmod(unit, inputs // plan.ranks)
                value = ((rank * (inputs // plan.ranks) + own, 1 << owner),)
            buffer, start = space.place(rank, "o", unit, rank)
            yield rank, unit, space.bases[rank][buffer] + start, value

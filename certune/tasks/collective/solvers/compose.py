"""Schedules made of schedules: backwards, one after the other, with finer chunks."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from certune.core import InvalidInput
from certune.tasks.collective.collective import OWNED, Collective, Kind, reversed_kind
from certune.tasks.collective.schedule import Int, Schedule

_COMPOSED: Final[dict[tuple[Kind, Kind], Kind]] = {
    ("reduce-scatter", "allgather"): "allreduce",
    ("reduce", "broadcast"): "allreduce",
    ("reduce-scatter", "gather"): "reduce",
    ("scatter", "allgather"): "broadcast",
    ("gather", "broadcast"): "allgather",
    ("reduce", "scatter"): "reduce-scatter",
}

_TURNS_OPERATIONS: Final[frozenset[Kind]] = frozenset(
    ("allgather", "reduce-scatter", "broadcast", "reduce", "allreduce")
)


def reverse(schedule: Schedule) -> Schedule:
    """The schedule run backwards, on the reversed topology: copies become sums, sums copies.

    An allgather becomes a reduce-scatter, a broadcast a reduce, a gather a scatter, each the
    other way round; allreduce and alltoall become themselves. Loads and steps stay. The result
    is right when `schedule` is and no send of it is useless (`sccl.trimmed`); verify it.
    """
    forward = schedule.collective
    kind = reversed_kind(forward.kind)
    chunk = schedule.chunk
    if kind == "alltoall":  # what went from a to b goes from b to a
        start, piece = np.divmod(chunk, forward.pieces)
        each = forward.pieces // forward.ranks
        end, part = np.divmod(piece, each)
        chunk = end * forward.pieces + start * each + part
    turn = kind in _TURNS_OPERATIONS
    return Schedule(
        Collective(kind, forward.ranks, forward.pieces, forward.root),
        schedule.steps,
        (schedule.steps - 1 - schedule.step)[::-1],
        schedule.destination[::-1],
        schedule.source[::-1],
        chunk[::-1],
        (~schedule.reduce if turn else schedule.reduce)[::-1],
    ).normalised()


def compose(first: Schedule, second: Schedule) -> Schedule:
    """`first`, then `second`: reduce-scatter and allgather make an allreduce, and so on.

    Raises:
        InvalidInput: the two make no collective, or differ in ranks, pieces or root.
    """
    one, two = first.collective, second.collective
    kind = _COMPOSED.get((one.kind, two.kind))
    if kind is None:
        raise InvalidInput(f"{one.kind} and then {two.kind} make no collective", place="compose")
    if (one.ranks, one.pieces) != (two.ranks, two.pieces):
        raise InvalidInput(
            f"{one.pieces} pieces over {one.ranks} ranks, then {two.pieces} over {two.ranks}",
            place="compose",
            remedy="cut both into the same pieces (`refine`)",
        )
    if one.rooted and two.rooted and one.root != two.root:
        raise InvalidInput(f"root {one.root}, then root {two.root}", place="compose")
    rooted = kind in ("broadcast", "reduce")
    root = (one.root if one.rooted else two.root) if rooted else 0

    def joined(a: Int, b: Int) -> Int:
        return np.concatenate((a, b))

    return Schedule(
        Collective(kind, one.ranks, one.pieces, root),
        first.steps + second.steps,
        joined(first.step, second.step + first.steps),
        joined(first.source, second.source),
        joined(first.destination, second.destination),
        joined(first.chunk, second.chunk),
        np.concatenate((first.reduce, second.reduce)),
    ).normalised()


def refine(schedule: Schedule, factor: int) -> Schedule:
    """The same schedule with each chunk cut into `factor` parts that travel together."""
    if factor < 1:
        raise InvalidInput(f"chunks cut into {factor}", place="refine", remedy="give 1 or more")
    if factor == 1:
        return schedule
    whole = schedule.collective
    parts = np.tile(np.arange(factor, dtype=np.int64), schedule.sends)
    # Owned or not, the parts of chunk c are c * factor …: owners keep theirs in a row.
    assert whole.kind in OWNED or whole.chunks == whole.pieces
    return Schedule(
        replace(whole, pieces=whole.pieces * factor),
        schedule.steps,
        np.repeat(schedule.step, factor),
        np.repeat(schedule.source, factor),
        np.repeat(schedule.destination, factor),
        np.repeat(schedule.chunk, factor) * factor + parts,
        np.repeat(schedule.reduce, factor),
    ).normalised()

"""Where a lowered schedule keeps its chunks: in the input, the output, or scratch.

Every (rank, chunk) pair has up to three cells: where the chunk is before (`start`), where what
arrives is kept (`home`), and where it must be after (`final`). Out of place the input is never
written. In place, allreduce and reduce keep everything in the input, allgather and broadcast in
the output, as writers of these files do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certune.tasks.collective.collective import Collective
from certune.tasks.collective.msccl.program import INPUT, OUTPUT, SCRATCH, Bool, Int


@dataclass(frozen=True, eq=False)
class Cells:
    """Buffer and offset of pairs; -1 as buffer where a pair has no such cell."""

    start_buffer: Int
    start_offset: Int
    home_buffer: Int
    home_offset: Int
    final_buffer: Int
    final_offset: Int


def wanted_pairs(collective: Collective) -> tuple[Int, Int]:
    """(rank, chunk) of everything that must be somewhere after."""
    ranks, chunks = collective.ranks, collective.chunks
    if collective.kind in ("allreduce", "allgather", "broadcast"):
        return np.repeat(np.arange(ranks), chunks), np.tile(np.arange(chunks), ranks)
    chunk = np.arange(chunks)
    if collective.kind in ("reduce", "gather"):
        return np.full(chunks, collective.root), chunk
    return _owner(collective, chunk), chunk


def _owner(collective: Collective, chunk: Int) -> Int:
    share = max(collective.pieces // collective.ranks, 1)
    return (chunk % collective.pieces) // share


def place_cells(
    collective: Collective, rank: Int, chunk: Int, arrives: Bool, *, in_place: bool
) -> Cells:
    """The cells of distinct pairs; each that `arrives` and has no home gets scratch of its own."""
    kind, root = collective.kind, collective.root
    share = collective.pieces // collective.ranks
    none, zero = np.full(len(rank), -1), np.zeros(len(rank), dtype=np.int64)
    whole, mine = np.ones(len(rank), dtype=np.bool_), _owner(collective, chunk) == rank
    at_root = rank == root

    def pick(where: Bool, buffer: int, offset: Int) -> tuple[Int, Int]:
        return np.where(where, buffer, none), np.where(where, offset, zero)

    own = chunk - rank * share
    if kind == "allgather":
        start = pick(mine, OUTPUT, chunk) if in_place else pick(mine, INPUT, own)
        final = pick(whole, OUTPUT, chunk)
    elif kind == "broadcast":
        start = pick(at_root, OUTPUT if in_place else INPUT, chunk)
        final = pick(whole, OUTPUT, chunk)
    elif kind == "allreduce":
        start = pick(whole, INPUT, chunk)
        final = pick(whole, INPUT if in_place else OUTPUT, chunk)
    elif kind == "reduce":
        start = pick(whole, INPUT, chunk)
        final = pick(at_root, INPUT if in_place else OUTPUT, chunk)
    elif kind == "reduce-scatter":
        start = pick(whole, INPUT, chunk)
        final = pick(mine, INPUT, chunk) if in_place else pick(mine, OUTPUT, own)
    elif kind == "gather":
        start = pick(mine, INPUT, own)
        if in_place:  # the root's own chunks already lie in its output
            start = (np.where(mine & at_root, OUTPUT, start[0]),
                     np.where(mine & at_root, chunk, start[1]))  # fmt: skip
        final = pick(at_root, OUTPUT, chunk)
    elif kind == "scatter":
        start = pick(at_root, INPUT, chunk)
        final = pick(mine, OUTPUT, own)
        if in_place:
            final = (np.where(mine & at_root, INPUT, final[0]),
                     np.where(mine & at_root, chunk, final[1]))  # fmt: skip
    else:
        giver, piece = chunk // collective.pieces, chunk % collective.pieces
        start = pick(giver == rank, OUTPUT if in_place else INPUT, piece)
        final = pick(mine, OUTPUT, giver * share + piece - rank * share)
    home = final
    if in_place and kind in ("reduce-scatter", "reduce"):
        home = start
    elif in_place and kind == "alltoall":
        home = (none, zero)  # what arrives would overwrite what has yet to be sent
    missing = (home[0] < 0) & arrives
    if missing.any():
        rows = np.flatnonzero(missing)
        rows = rows[np.argsort(rank[rows], kind="stable")]
        sizes = np.bincount(rank[rows])
        begin = np.concatenate(([0], np.cumsum(sizes)))
        number = np.empty(len(rank), dtype=np.int64)
        number[rows] = np.arange(len(rows)) - begin[rank[rows]]
        home = (np.where(missing, SCRATCH, home[0]), np.where(missing, number, home[1]))
    return Cells(*start, *home, *final)

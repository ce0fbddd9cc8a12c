"""Where the buffers of a program lie, in place or out of place, and what they hold.

With N = ``nchunksperloop``, R ranks and C = N / R, NCCL's buffers have, in chunks:

| collective               | input     | output    | in place                              |
|--------------------------|-----------|-----------|---------------------------------------|
| allreduce, alltoall      | N         | N         | the same memory                       |
| broadcast, reduce        | N         | N         | the same memory                       |
| allgather                | C         | N         | the input lies in the output at r * C |
| reduce-scatter           | N         | C         | the output lies in the input at r * C |
| gather (size multiple 1) | N         | R * N     | at the root, the input at r * N       |
| scatter (size multiple 1)| R * N     | N         | at the root, the output at r * N      |

Buffers that NCCL's interface leaves to the root alone (the input of broadcast and scatter, the
output of reduce and gather) have no chunks elsewhere, except in place where both are one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certune.core import InvalidInput
from certune.tasks.collective.collective import Kind
from certune.tasks.collective.msccl.program import BUFFERS, INPUT, OUTPUT, SCRATCH, Int, Program
from certune.tasks.collective.msccl.read import COLLECTIVES

REDUCING = ("allreduce", "reduce-scatter", "reduce")


@dataclass(frozen=True, eq=False)
class Memory:
    """Cells: one a chunk of memory, numbered over all ranks.

    base, size: [ranks, 3] first cell and number of chunks of input, output and scratch
    cells:      number of cells
    inputs:     [ranks] chunks that each rank contributes; value v = first_value[rank] + chunk
    """

    kind: Kind
    ranks: int
    pieces: int
    root: int
    in_place: bool
    base: Int
    size: Int
    cells: int
    inputs: Int
    first_value: Int

    @property
    def values(self) -> int:
        """Number of distinct input chunks over all ranks."""
        return int(self.first_value[-1])

    def locate(self, cell: int) -> tuple[int, str]:
        """The rank that a cell is on and its name, such as ``o[3]``."""
        inside = (self.base <= cell) & (cell < self.base + self.size)
        rank, buffer = np.argwhere(inside)[-1].tolist()
        return rank, f"{BUFFERS[buffer]}[{cell - int(self.base[rank, buffer])}]"

    def name_value(self, value: int) -> tuple[int, int]:
        """The rank and the chunk of its input that a value number stands for."""
        rank = int(np.searchsorted(self.first_value, value, side="right")) - 1
        return rank, value - int(self.first_value[rank])

    def initial(self) -> Int:
        """[cells] the value that each cell holds before, -1 where it holds none."""
        held = np.full(self.cells, -1)
        for rank in range(self.ranks):
            begin, number = int(self.base[rank, INPUT]), int(self.inputs[rank])
            value = int(self.first_value[rank])
            held[begin : begin + number] = np.arange(value, value + number)
        return held

    def groups(self) -> Int:
        """[values] what may be added: values of one group are summands of one result."""
        if self.kind not in REDUCING:
            return np.arange(self.values)
        return np.arange(self.values) - np.repeat(self.first_value[:-1], self.inputs)

    def wanted(self) -> tuple[Int, Int]:
        """Cells that matter after, and the group whose value or whole sum each must hold."""
        ranks, pieces, share = self.ranks, self.pieces, self.pieces // self.ranks
        holders = np.array([self.root]) if self.kind in ("reduce", "gather") else np.arange(ranks)
        size = self.size[holders[0], OUTPUT]
        rank = np.repeat(holders, size)
        chunk = np.tile(np.arange(size), len(holders))
        cell = self.base[rank, OUTPUT] + chunk
        first = self.first_value
        if self.kind in ("allreduce", "reduce"):
            group = chunk
        elif self.kind == "reduce-scatter":
            group = rank * share + chunk
        elif self.kind == "allgather":
            group = first[chunk // share] + chunk % share
        elif self.kind == "alltoall":
            group = first[chunk // share] + rank * share + chunk % share
        elif self.kind == "broadcast":
            group = first[self.root] + chunk
        elif self.kind == "gather":
            group = first[chunk // pieces] + chunk % pieces
        else:
            group = first[self.root] + rank * pieces + chunk
        return cell, group


def lay_out(program: Program, *, in_place: bool, root: int = 0) -> Memory:
    """The buffers of `program`, in place or out of place.

    Raises:
        InvalidInput: a number of pieces that the ranks do not divide, an unknown root.
    """
    header = program.header
    kind = COLLECTIVES[header.collective]
    if kind in ("allgather", "reduce-scatter", "alltoall") and header.pieces % header.ranks:
        raise InvalidInput(
            f"nchunksperloop={header.pieces} is no multiple of the {header.ranks} ranks",
            place=f"line {header.line}",
            remedy=f"{kind} needs the same number of chunks for every rank",
        )
    if not 0 <= root < header.ranks:
        raise InvalidInput(f"root {root} of {header.ranks} ranks")
    scratch = program.chunks[:, SCRATCH]
    return arrange(kind, header.ranks, header.pieces, scratch, in_place=in_place, root=root)


def arrange(
    kind: Kind, ranks: int, pieces: int, scratch: Int, *, in_place: bool, root: int
) -> Memory:
    """The buffers of a collective with `pieces` = N and `scratch` chunks on each rank."""
    share = pieces // ranks
    size = np.zeros((ranks, 3), dtype=np.int64)
    size[:, INPUT], size[:, OUTPUT] = {
        "allgather": (share, pieces),
        "reduce-scatter": (pieces, share),
        "gather": (pieces, pieces * ranks),
        "scatter": (pieces * ranks, pieces),
    }.get(kind, (pieces, pieces))
    size[:, SCRATCH] = scratch
    contributes = np.ones(ranks, dtype=np.bool_)
    other = np.arange(ranks) != root
    if kind in ("broadcast", "scatter"):
        contributes = ~other
        if not in_place or kind == "scatter":
            size[other, INPUT] = 0
    if kind == "gather" or (kind == "reduce" and not in_place):
        size[other, OUTPUT] = 0
    inputs = np.where(contributes, size[:, INPUT], 0)
    base = np.concatenate(([0], np.cumsum(size)))[:-1].reshape(ranks, 3)
    rank = np.arange(ranks)
    if in_place:
        if kind == "allgather":
            base[:, INPUT] = base[:, OUTPUT] + rank * share
        elif kind == "reduce-scatter":
            base[:, OUTPUT] = base[:, INPUT] + rank * share
        elif kind == "gather":
            base[root, INPUT] = base[root, OUTPUT] + root * pieces
        elif kind == "scatter":
            base[root, OUTPUT] = base[root, INPUT] + root * pieces
        else:
            base[:, OUTPUT] = base[:, INPUT]
    return Memory(
        kind=kind,
        ranks=ranks,
        pieces=pieces,
        root=root,
        in_place=in_place,
        base=base,
        size=size,
        cells=int(size.sum()),
        inputs=inputs,
        first_value=np.concatenate(([0], np.cumsum(inputs))),
    )


def find_root(program: Program) -> int:
    """The root that a program seems to be written for; 0 where nothing tells.

    For broadcast and scatter the one rank with an input, else the one that receives nothing; for
    reduce and gather the one with an output, else the one that sends nothing.
    """
    kind = COLLECTIVES[program.header.collective]
    if kind not in ("broadcast", "scatter", "reduce", "gather"):
        return 0
    gives = kind in ("broadcast", "scatter")
    declared = program.chunks[:, INPUT if gives else OUTPUT] > 0
    active = np.zeros(program.ranks, dtype=np.bool_)
    active[program.rank[(program.receive if gives else program.send) >= 0]] = True
    for single in (np.flatnonzero(declared), np.flatnonzero(~active)):
        if len(single) == 1:
            return int(single[0])
    return 0

"""Where every value of a launch comes from: inputs, transfers between ranks, sums.

A launch without races computes the same in every order, so that one execution is followed. Every
value has a node: an input of a rank, something that was moved from one rank to another, or a sum
on a rank. Copies within a rank have none: they are the same value at another place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from certune.core import InvalidInput
from certune.tasks.collective.mscclpp.semantics.execution import Execution
from certune.tasks.collective.mscclpp.semantics.space import Space
from certune.tasks.collective.mscclpp.semantics.values import expected

MIXED = -1  # the chunk of a value that adds different ones


@dataclass
class Values:
    """Nodes in columns; operands come before what is made of them.

    rank:     where the value is
    chunk:    the native chunk (in units) that it belongs to, or MIXED
    origin:   for a transfer the node that was sent, else -1
    operands: of a sum; empty for inputs and transfers
    wanted:   nodes that the collective asks for at their rank
    """

    rank: list[int] = field(default_factory=list)
    chunk: list[int] = field(default_factory=list)
    origin: list[int] = field(default_factory=list)
    operands: list[tuple[int, ...]] = field(default_factory=list)
    wanted: set[int] = field(default_factory=set)

    def add(self, rank: int, chunk: int, origin: int = -1, operands: tuple[int, ...] = ()) -> int:
        """A new node."""
        self.rank.append(rank)
        self.chunk.append(chunk)
        self.origin.append(origin)
        self.operands.append(operands)
        return len(self.rank) - 1

    def live(self) -> list[bool]:
        """Whether something that the collective asks for depends on a node."""
        needed = [False] * len(self.rank)
        for node in self.wanted:
            needed[node] = True
        for node in reversed(range(len(needed))):
            if needed[node]:
                for before in (self.origin[node], *self.operands[node]):
                    if before >= 0:
                        needed[before] = True
        return needed


def _native(space: Space, rank: int, unit: int) -> int:
    """The native chunk of an input unit."""
    gpu = space.plan.gpus[0]
    inputs, outputs = gpu.input_chunks * space.units, gpu.output_chunks * space.units
    if space.plan.collective == "allgather":
        return rank * inputs + unit
    if space.plan.collective == "alltoall":
        return rank * max(inputs, outputs) + unit
    return unit


def follow(execution: Execution) -> Values:
    """The values of a launch that ran to its end and read nothing undefined.

    Raises:
        InvalidInput: a value that the collective asks for is undefined.
    """
    space = execution.program.space
    plan = space.plan
    owner = [rank for rank, own in enumerate(space.lengths) for _ in range(sum(own.values()))]
    values = Values()
    memory = [-1] * space.count
    for rank, gpu in enumerate(plan.gpus):
        for unit in range(gpu.input_chunks * space.units):
            buffer, start = space.place(rank, "i", unit, rank)
            place = space.bases[rank][buffer] + start
            memory[place] = values.add(rank, _native(space, rank, unit))
    sums: dict[tuple[int, tuple[int, ...]], int] = {}

    def moved(node: int, rank: int) -> int:
        """The value at `rank`; a transfer where it is somewhere else."""
        if node < 0 or values.rank[node] == rank:
            return node
        return values.add(rank, values.chunk[node], node)

    def added(rank: int, terms: tuple[int, ...]) -> int:
        if len(terms) == 1 or -1 in terms:
            return terms[0] if len(terms) == 1 else -1
        key = (rank, tuple(sorted(terms)))
        if key not in sums:
            chunks = {values.chunk[term] for term in terms}
            sums[key] = values.add(rank, chunks.pop() if len(chunks) == 1 else MIXED, -1, key[1])
        return sums[key]

    for (actor, *_), move in execution.applied:
        found = [
            added(
                actor,
                tuple(
                    moved(memory[x.start + (2 * unit if x.packet else unit)], actor)
                    for x in move.sources
                ),
            )
            for unit in range(move.units)
        ]
        for target in move.destinations:
            there = owner[target.start]
            for unit, node in enumerate(found):
                value = moved(node, there)
                if target.packet:
                    first = target.start + 2 * unit
                    memory[first] = memory[first + 1] = value
                else:
                    memory[target.start + unit] = value
    for _, _, location, _ in expected(space):
        if memory[location] < 0:
            raise InvalidInput(f"{space.describe(location)} is undefined at the end")
        values.wanted.add(memory[location])
    return values

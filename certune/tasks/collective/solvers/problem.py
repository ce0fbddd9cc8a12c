"""What the solvers solve: a collective on a topology, cut into C chunks a rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import Literal, TypeAlias

from certune.core import InvalidInput
from certune.tasks.collective.collective import OWNED, Collective, Kind
from certune.tasks.collective.cost import unit_bandwidth
from certune.tasks.collective.schedule import Schedule, from_sends
from certune.tasks.collective.solvers.sccl import Chunk, Instance, Send
from certune.tasks.collective.topology import Topology

Objective: TypeAlias = Literal["latency", "bandwidth", "time", "frontier"]

DUALS: dict[Kind, Kind] = {"reduce-scatter": "allgather", "reduce": "broadcast"}
"""Reductions, and the collective that they are when run backwards on the reversed topology."""


def chunks_per_rank(collective: Collective) -> int:
    """SCCL's C: pieces for each owner, or all of them where no rank owns a piece.

    That is how often one rank's data is cut (allgather, reduce-scatter, gather, scatter), or
    what one rank has for another (alltoall), or the whole (broadcast, reduce, allreduce).
    """
    owned = collective.kind in OWNED
    return collective.pieces // collective.ranks if owned else collective.pieces


def collective_of(kind: Kind, ranks: int, chunks: int, root: int = 0) -> Collective:
    """The collective whose `chunks_per_rank` is `chunks`."""
    return Collective(kind, ranks, chunks * ranks if kind in OWNED else chunks, root)


@dataclass(frozen=True)
class Problem:
    """A collective on a topology, and what is wanted of it.

    `objective` is what is to be good: the time of an empty message (latency), of an endless one
    (bandwidth), of the one size in `sizes` (time, bytes) or of each of them (frontier).
    """

    kind: Kind
    topology: Topology
    root: int = 0
    objective: Objective = "bandwidth"
    sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.objective == "time" and len(self.sizes) != 1:
            raise InvalidInput("the objective time needs one size", place="problem")

    @property
    def dual(self) -> Problem:
        """The problem whose reversed solutions solve this reduction.

        Raises:
            InvalidInput: this is no reduction to or from an owner.
        """
        if self.kind not in DUALS:
            raise InvalidInput(f"{self.kind} is not solved backwards", place="problem")
        return replace(self, kind=DUALS[self.kind], topology=self.topology.reversed())

    @property
    def direct(self) -> Problem:
        """What is solved in this one's stead: the allgather in an allreduce, or the dual."""
        if self.kind == "allreduce":
            return replace(self, kind="allgather")
        return self.dual if self.kind in DUALS else self

    def collective(self, chunks: int) -> Collective:
        """The collective cut into `chunks` chunks a rank (`chunks_per_rank`)."""
        return collective_of(self.kind, self.topology.ranks, chunks, self.root)

    @cached_property
    def unit(self) -> Fraction:
        """The bandwidth in GB/s that carries one chunk a round (`cost.unit_bandwidth`)."""
        return unit_bandwidth(self.topology)

    @cached_property
    def links(self) -> tuple[tuple[int, int], ...]:
        """The pairs of ranks that have a link, sorted."""
        return tuple(sorted((x.source, x.destination) for x in self.topology.links))

    @cached_property
    def capacities(self) -> tuple[tuple[tuple[int, ...], Fraction], ...]:
        """Links and shared resources as sets of `links` with widths, without implied ones."""
        number = {pair: index for index, pair in enumerate(self.links)}
        widths: dict[tuple[int, ...], Fraction] = {}
        users: dict[str, list[int]] = defaultdict(list)
        for link in self.topology.links:
            index = number[link.source, link.destination]
            widths[(index,)] = link.bandwidth / self.unit
            for name in link.via:
                users[name].append(index)
        for name, members in users.items():
            group = tuple(sorted(members))
            width = self.topology.resources[name] / self.unit
            widths[group] = min(width, widths.get(group, width))
        return tuple(
            (group, width)
            for group, width in sorted(widths.items())
            if not (len(group) == 1 and _implied(group[0], width, widths))
            and not (len(group) > 1 and width >= sum(widths[(index,)] for index in group))
        )

    def instance(self, chunks: int, steps: int, rounds: int) -> Instance:
        """SCCL's question for this problem; a problem with a direct encoding only.

        Raises:
            InvalidInput: a reduction: ask its `dual`.
        """
        return Instance(
            self.topology.ranks,
            self.links,
            self.capacities,
            chunks_of(self.collective(chunks)),
            steps,
            rounds,
        )

    def schedule(self, chunks: int, sends: Sequence[Send]) -> Schedule:
        """The schedule of copies (step, source, destination, chunk)."""
        return from_sends(self.collective(chunks), ((t, a, b, c, False) for t, a, b, c in sends))

    def fewest_rounds(self, chunks: int, bandwidth: Fraction) -> int:
        """How many rounds `chunks` chunks need at least where `bandwidth` (GB/s) is a bound."""
        return ceil(self.collective(chunks).pieces * self.unit / bandwidth)


def _implied(link: int, width: Fraction, widths: dict[tuple[int, ...], Fraction]) -> bool:
    """Whether a resource that the link takes is as narrow as the link itself."""
    return any(len(group) > 1 and link in group and w <= width for group, w in widths.items())


def chunks_of(collective: Collective) -> tuple[Chunk, ...]:
    """For each chunk where it starts and which ranks must get it, sorted.

    Raises:
        InvalidInput: the collective reduces.
    """
    if collective.reducing:
        raise InvalidInput(f"{collective.kind} reduces; solve its dual", place="problem")
    sources = [0] * collective.chunks
    targets: list[list[int]] = [[] for _ in range(collective.chunks)]
    for rank, chunk in zip(*(x.tolist() for x in collective.before()), strict=True):
        sources[chunk] = rank
    for rank, chunk in zip(*(x.tolist() for x in collective.after()), strict=True):
        targets[chunk].append(rank)
    return tuple(
        Chunk(source, tuple(sorted(wanted)))
        for source, wanted in zip(sources, targets, strict=True)
    )

"""Trees along which a chunk spreads from its source: what schedules of known algorithms share.

A tree says for every rank from which rank it gets the chunk, and in which step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from certune.core import InvalidInput
from certune.tasks.collective.cycles import Cycle, cycle, disjoint_cycles
from certune.tasks.collective.schedule import Int
from certune.tasks.collective.topology import Topology

MAX_EFFORT = 50_000_000  # links looked at while all trees of a topology are built
WAYS = 2  # of a tree's node, where the links allow


@dataclass(frozen=True, eq=False)
class Tree:
    """How a chunk spreads: rank r gets it from `parent[r]` in step `step[r]`; -1 at the source."""

    parent: Int
    step: Int


@dataclass(frozen=True)
class Forest:
    """The trees of an algorithm: one for each source and lane; lanes are used in parallel.

    `pipelined` algorithms send one piece of a lane after the other, the others all at once.
    `root` is the best rank to collect everything at.
    """

    lanes: int
    tree: Callable[[int, int], Tree]
    pipelined: bool = False
    root: int = 0


Grow: TypeAlias = Callable[[Topology], Forest]


def _along(cycles: tuple[Cycle, ...], ranks: int) -> Forest:
    places = [np.array(x, dtype=np.int64) for x in cycles]

    def tree(source: int, lane: int) -> Tree:
        order = np.roll(places[lane], -int(np.flatnonzero(places[lane] == source)[0]))
        parent = np.full(ranks, -1, dtype=np.int64)
        step = np.full(ranks, -1, dtype=np.int64)
        parent[order[1:]] = order[:-1]
        step[order[1:]] = np.arange(ranks - 1)
        return Tree(parent, step)

    return Forest(len(cycles), tree, pipelined=True)


def _no_cycle(topology: Topology) -> InvalidInput:
    return InvalidInput(
        f"no cycle through all ranks of {topology.name} was found",
        place="baseline",
        remedy="take tree or routed",
    )


def ring(topology: Topology) -> Forest:
    """Along one cycle through all ranks.

    Raises:
        InvalidInput: no such cycle was found.
    """
    found = cycle(topology)
    if found is None:
        raise _no_cycle(topology)
    return _along((found,), topology.ranks)


def rings(topology: Topology) -> Forest:
    """Along as many cycles as the links can carry next to each other.

    Raises:
        InvalidInput: no cycle was found.
    """
    found = disjoint_cycles(topology)
    if not found:
        raise _no_cycle(topology)
    return _along(found, topology.ranks)


def _affordable(topology: Topology) -> None:
    if topology.ranks * len(topology.links) > MAX_EFFORT:
        raise InvalidInput(
            f"{topology.name} has too many links for trees by search",
            place="baseline",
            remedy="take ring or direct",
        )


def _search(topology: Topology, source: int, ways: int) -> Tree | None:
    """Breadth-first from `source` with at most `ways` children each, widest links first."""
    parent = np.full(topology.ranks, -1, dtype=np.int64)
    step = np.full(topology.ranks, -1, dtype=np.int64)
    reached = {source}
    front = [source]
    depth = 0
    while front:
        following = []
        for rank in front:
            left = ways
            for link in sorted(topology.outgoing[rank], key=lambda x: (-x.bandwidth, x.alpha)):
                if left and link.destination not in reached:
                    left -= 1
                    reached.add(link.destination)
                    parent[link.destination] = rank
                    step[link.destination] = depth
                    following.append(link.destination)
        front = following
        depth += 1
    return Tree(parent, step) if len(reached) == topology.ranks else None


def tree(topology: Topology) -> Forest:
    """Breadth-first trees, binary where the links allow."""
    _affordable(topology)

    def grow(source: int, lane: int) -> Tree:
        ways = WAYS
        while (found := _search(topology, source, ways)) is None:
            ways *= 2
        return found

    return Forest(1, grow, pipelined=True, root=_middle(topology))


def _middle(topology: Topology) -> int:
    """The rank from which the farthest is nearest, among the first few hundred."""
    eccentricity = {}
    for rank in range(min(topology.ranks, 256)):
        found = _search(topology, rank, topology.ranks)
        assert found is not None
        eccentricity[rank] = int(found.step.max())
    return min(eccentricity, key=lambda rank: (eccentricity[rank], rank))


def routed(topology: Topology) -> Forest:
    """Every chunk along the fewest links, over any topology."""
    _affordable(topology)

    def grow(source: int, lane: int) -> Tree:
        found = _search(topology, source, topology.ranks)
        assert found is not None  # a topology reaches every rank from every other
        return found

    return Forest(1, grow, root=_middle(topology))


def direct(topology: Topology) -> Forest:
    """From the source to everyone at once; the links must be there."""

    def grow(source: int, lane: int) -> Tree:
        parent = np.full(topology.ranks, source, dtype=np.int64)
        step = np.zeros(topology.ranks, dtype=np.int64)
        parent[source] = step[source] = -1
        return Tree(parent, step)

    return Forest(1, grow)


def recursive(topology: Topology) -> Forest:
    """Between ranks whose numbers differ in one bit, the lowest first; links must be there.

    Raises:
        InvalidInput: the number of ranks is no power of two.
    """
    ranks = topology.ranks
    if ranks & (ranks - 1):
        raise InvalidInput(
            f"{ranks} ranks are no power of two", place="baseline", remedy="take ring or tree"
        )
    relative = np.arange(ranks, dtype=np.int64)
    bit = np.frexp(relative.astype(np.float64))[1].astype(np.int64) - 1  # the highest one

    def grow(source: int, lane: int) -> Tree:
        parent = np.empty(ranks, dtype=np.int64)
        step = np.empty(ranks, dtype=np.int64)
        parent[relative ^ source] = (relative - (1 << np.maximum(bit, 0))) ^ source
        step[relative ^ source] = bit
        parent[source] = step[source] = -1
        return Tree(parent, step)

    return Forest(1, grow)

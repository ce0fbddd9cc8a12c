"""A topology as arrays: what the time-expanded greedy search works on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.topology import Topology

Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Network:
    """Links and the limits on them as arrays.

    source, destination: [links], ranks, ordered by source, then destination
    width:               [limits], GB/s; a limit is a link (the first ones) or a shared resource
    limits:              [links, most], indices of the limits a link is under, padded by -1
    first:               [ranks + 1], the links of rank r are first[r] … first[r + 1] - 1
    distance:            [ranks, ranks], fewest links from row to column
    island:              [ranks], number of the rank's island: ranks that reach each other over
                         links faster than the slowest
    slow:                [links], whether a link joins different islands
    """

    ranks: int
    source: Int
    destination: Int
    width: tuple[Fraction, ...]
    limits: Int
    first: Int
    distance: Int
    island: Int
    slow: npt.NDArray[np.bool_]

    @property
    def slowest(self) -> Fraction:
        """The least width in GB/s of what any link is under."""
        return min(self.width)

    def room(self, duration: Fraction | None) -> Int:
        """[limits]: chunks that pass in a step as long as `duration` chunks per GB/s.

        None is no limit.
        """
        if duration is None:
            return np.full(len(self.width), 2**40, dtype=np.int64)
        return np.array([floor(duration * width) for width in self.width], dtype=np.int64)


def network(topology: Topology) -> Network:
    """The arrays of `topology`."""
    links = sorted(topology.links, key=lambda x: (x.source, x.destination))
    number = {name: len(links) + index for index, name in enumerate(topology.resources)}
    width = [x.bandwidth for x in links] + list(topology.resources.values())
    most = 1 + max(len(x.via) for x in links)
    limits = np.full((len(links), most), -1, dtype=np.int64)
    for index, link in enumerate(links):
        row = [index, *(number[name] for name in link.via)]
        limits[index, : len(row)] = row
    source = np.array([x.source for x in links], dtype=np.int64)
    destination = np.array([x.destination for x in links], dtype=np.int64)
    effective = [min(width[i] for i in row if i >= 0) for row in limits.tolist()]
    island = _islands(topology.ranks, source, destination, effective)
    used = sorted({i for row in limits.tolist() for i in row if i >= 0})
    widest = max(width)
    return Network(
        topology.ranks,
        source,
        destination,
        tuple(width[i] if i in set(used) else widest for i in range(len(width))),
        limits,
        np.searchsorted(source, np.arange(topology.ranks + 1)).astype(np.int64),
        _distances(topology.ranks, source, destination),
        island,
        island[source] != island[destination],
    )


def _distances(ranks: int, source: Int, destination: Int) -> Int:
    """Fewest links from row to column, -1 where there is no way; breadth first from all at once."""
    distance = np.full((ranks, ranks), -1, dtype=np.int64)
    step = np.zeros((ranks, ranks), dtype=np.float32)
    step[source, destination] = 1
    front = np.eye(ranks, dtype=np.float32)
    reached = front > 0
    distance[reached] = 0
    away = 0
    while front.any():
        away += 1
        fresh = (front @ step > 0) & ~reached
        distance[fresh] = away
        reached |= fresh
        front = fresh.astype(np.float32)
    return distance


def _islands(ranks: int, source: Int, destination: Int, width: list[Fraction]) -> Int:
    """Numbers the groups of ranks that reach each other over links faster than the slowest."""
    slowest = min(width)
    fast = np.array([w > slowest for w in width])
    reaches = _distances(ranks, source[fast], destination[fast]) >= 0
    # The first rank that one reaches and is reached by names its island.
    first = np.argmax(reaches & reaches.T, axis=1)
    _, island = np.unique(first, return_inverse=True)
    return island.astype(np.int64)

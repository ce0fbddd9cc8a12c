"""Distances between ranks of a topology, exactly, with their paths."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from heapq import heappop, heappush
from math import lcm
from typing import TypeAlias

from certune.tasks.collective.topology import Link, Topology

Length: TypeAlias = Callable[[Link], Fraction]


class Distances:
    """Shortest distances by a length of links that is never negative.

    Lengths are scaled to integers; where all are the same, ranks are counted instead.
    """

    def __init__(self, topology: Topology, length: Length) -> None:
        values = {(x.source, x.destination): length(x) for x in topology.links}
        self.scale = lcm(*{value.denominator for value in values.values()})
        whole = {value: int(value * self.scale) for value in set(values.values())}
        self._same = next(iter(whole.values())) if len(whole) == 1 else None
        self._next = [
            [(x.destination, whole[values[x.source, x.destination]]) for x in links]
            for links in topology.outgoing
        ]

    def from_rank(self, source: int) -> tuple[list[int], list[int]]:
        """The distance from `source` to every rank times `scale`, and the rank before each."""
        if self._same is not None:
            return self._breadth_first(source, self._same)
        return self._dijkstra(source)

    def between(self, source: int, target: int) -> Fraction:
        """The distance from `source` to `target`."""
        return Fraction(self.from_rank(source)[0][target], self.scale)

    def _breadth_first(self, source: int, length: int) -> tuple[list[int], list[int]]:
        distance = [-1] * len(self._next)
        before = [-1] * len(self._next)
        distance[source] = 0
        reached = 1
        front = [source]
        while front and reached < len(self._next):
            following = []
            for rank in front:
                for target, _ in self._next[rank]:
                    if distance[target] < 0:
                        distance[target] = distance[rank] + length
                        before[target] = rank
                        following.append(target)
            front = following
            reached += len(following)
        return distance, before

    def _dijkstra(self, source: int) -> tuple[list[int], list[int]]:
        """E. W. Dijkstra, A note on two problems in connexion with graphs, 1959."""
        endless = -1
        distance = [endless] * len(self._next)
        before = [-1] * len(self._next)
        settled = [False] * len(self._next)
        distance[source] = 0
        queue = [(0, source)]
        while queue:
            here, rank = heappop(queue)
            if settled[rank]:
                continue
            settled[rank] = True
            for target, length in self._next[rank]:
                known = distance[target]
                if known == endless or here + length < known:
                    distance[target] = here + length
                    before[target] = rank
                    heappush(queue, (here + length, target))
        return distance, before


def path(before: list[int], target: int) -> list[int]:
    """The ranks on the way to `target`, from the source on."""
    ranks = [target]
    while before[ranks[-1]] >= 0:
        ranks.append(before[ranks[-1]])
    return ranks[::-1]

"""Hamiltonian cycles of a topology, for rings: bounded, deterministic search.

Finding one is NP-hard; what is not found within the effort counts as not there. That costs a
baseline at most, never a proof.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from typing import TypeAlias

from certune.tasks.collective.cost import unit_bandwidth
from certune.tasks.collective.topology import Link, Topology

EFFORT = 20_000  # ranks that one search may visit
TRIES = 60  # searches for a set of disjoint cycles
STARTS = 4
MOST = 16  # cycles in a set

Cycle: TypeAlias = tuple[int, ...]
_Item: TypeAlias = "str | tuple[int, int]"


def _familiar(ranks: int) -> Iterator[Cycle]:
    """Orders that are cycles of common topologies: by number, by Gray code, snakes over grids."""
    yield tuple(range(ranks))
    if ranks & (ranks - 1) == 0:
        yield tuple(x ^ x >> 1 for x in range(ranks))
    for columns in range(2, ranks // 2 + 1):
        if ranks % columns == 0 and (rows := ranks // columns) % 2 == 0:
            # Down the first column, and back in a snake over the others.
            snake = [
                row * columns + column
                for row in reversed(range(rows))
                for column in (range(1, columns) if row % 2 else range(columns - 1, 0, -1))
            ]
            yield (*(row * columns for row in range(rows)), *snake)


class _Search:
    """Depth-first search for a cycle through all ranks over the links that are allowed."""

    def __init__(self, ranks: int, links: list[Link], weight: dict[tuple[int, int], float]) -> None:
        self.ranks = ranks
        self.weight = weight
        self.pairs = {(x.source, x.destination) for x in links}
        self.outgoing: list[list[int]] = [[] for _ in range(ranks)]
        for source, destination in sorted(self.pairs):
            self.outgoing[source].append(destination)

    def familiar(self) -> Cycle | None:
        for cycle in _familiar(self.ranks):
            following = (*cycle[1:], cycle[0])
            if all(pair in self.pairs for pair in zip(cycle, following, strict=True)):
                return cycle
        return None

    def _next(self, path: list[int], free: list[bool]) -> list[int]:
        """Ranks to go on to, the most promising last: by weight, then by fewest ways on."""
        here = path[-1]
        options = [rank for rank in self.outgoing[here] if free[rank]]

        def promise(rank: int) -> tuple[float, int, int]:
            onward = sum(free[x] for x in self.outgoing[rank])
            return (self.weight.get((here, rank), 0.0), -onward, -rank)

        return sorted(options, key=promise)

    def run(self, effort: int, start: int = 0) -> Cycle | None:
        if any(not targets for targets in self.outgoing):
            return None
        free = [True] * self.ranks
        free[start] = False
        path = [start]
        stack = [self._next(path, free)]
        while stack and effort > 0:
            if len(path) == self.ranks and (path[-1], start) in self.pairs:
                at = path.index(0)
                return (*path[at:], *path[:at])
            if not stack[-1]:
                stack.pop()
                free[path.pop()] = True
                continue
            effort -= 1
            rank = stack[-1].pop()
            free[rank] = False
            path.append(rank)
            stack.append(self._next(path, free))
        return None


def cycle(topology: Topology) -> Cycle | None:
    """A cycle through all ranks whose narrowest link is as wide as could be found, or None."""
    for least in sorted({x.bandwidth for x in topology.links}, reverse=True):
        links = [x for x in topology.links if x.bandwidth >= least]
        search = _Search(topology.ranks, links, {})
        found = search.familiar() or search.run(EFFORT)
        if found is not None:
            return found
    return None


class _Room:
    """How many more cycles every link and resource can carry, in units of bandwidth."""

    def __init__(self, topology: Topology) -> None:
        unit = unit_bandwidth(topology)
        self.links = {(x.source, x.destination): x for x in topology.links}
        self.left: dict[_Item, int] = {
            pair: int(x.bandwidth / unit) for pair, x in self.links.items()
        }
        # A resource narrower than the unit still carries one cycle.
        for name, bandwidth in topology.resources.items():
            self.left[name] = max(int(bandwidth / unit), 1)

    def _items(self, pair: tuple[int, int]) -> tuple[_Item, ...]:
        return (pair, *self.links[pair].via)

    def fits(self, cycle: Cycle) -> bool:
        need: dict[_Item, int] = {}
        for pair in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            if pair not in self.links:
                return False
            for item in self._items(pair):
                need[item] = need.get(item, 0) + 1
        return all(self.left[item] >= count for item, count in need.items())

    def take(self, cycle: Cycle) -> None:
        for pair in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            for item in self._items(pair):
                self.left[item] -= 1

    def open(self) -> list[Link]:
        return [
            link
            for pair, link in self.links.items()
            if self.left[pair] > 0 and all(self.left[name] > 0 for name in link.via)
        ]


def disjoint_cycles(topology: Topology) -> tuple[Cycle, ...]:
    """Cycles that together take no link or resource beyond its bandwidth, as many as found.

    A link of k units of bandwidth carries k of them, as NCCL lays its rings. The first is that
    of `cycle`; there is none where that finds none.
    """
    first = cycle(topology)
    if first is None:
        return ()
    most = _most(topology)
    best: tuple[Cycle, ...] = (first,)
    for attempt in range(max(1, min(TRIES, 2000 // topology.ranks))):
        source = random.Random(attempt)  # noqa: S311 - variety, not secrecy
        room = _Room(topology)
        found: list[Cycle] = []
        candidate: Cycle | None = first if attempt == 0 else _another(topology, room, source)
        while candidate is not None and room.fits(candidate) and len(found) < most:
            for way in (candidate, candidate[:1] + candidate[:0:-1]):
                if room.fits(way) and len(found) < most:
                    room.take(way)
                    found.append(way)
            candidate = _another(topology, room, source)
        if len(found) > len(best):
            best = tuple(found)
        if len(best) >= most:
            break
    return best


def _most(topology: Topology) -> int:
    """No more cycles than this fit: each enters and leaves every rank."""
    unit = unit_bandwidth(topology)
    leaving = [sum((x.bandwidth for x in links), Fraction(0)) for links in topology.outgoing]
    entering = [Fraction(0)] * topology.ranks
    for link in topology.links:
        entering[link.destination] += link.bandwidth
    return min(int(min((*leaving, *entering)) / unit), MOST)


def _another(topology: Topology, room: _Room, source: random.Random) -> Cycle | None:
    links = room.open()
    # Wide links first: those with the most room left, in an order that differs by attempt.
    weight = {
        (x.source, x.destination): room.left[x.source, x.destination] + 0.9 * source.random()
        for x in links
    }
    search = _Search(topology.ranks, links, weight)
    effort = max(EFFORT // 20, 2 * topology.ranks)
    for _ in range(STARTS):
        # Where it starts decides which ways in are left for its last link.
        found = search.run(effort, source.randrange(topology.ranks))
        if found is not None and room.fits(found):
            return found
    return None

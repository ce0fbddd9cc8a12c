"""Maximum flow and minimum cut with exact integer capacities, and topologies as flow networks.

Dinic's algorithm (E. A. Dinitz, Soviet Math. Doklady 11, 1970): short enough to own, exact for
integers of any size, and several times faster than networkx on networks of this kind, which
matters since an optimal-throughput bound takes one flow for every rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import lcm
from typing import TypeAlias

from certune.tasks.collective.topology import Link, Topology

Arc: TypeAlias = tuple[int, int, int]  # tail, head, capacity

MANY = 5_000  # links, from which on no minimum cut is sought


class MaxFlow:
    """A flow network of `nodes` nodes; arcs with a capacity of 0 or less carry nothing."""

    def __init__(self, nodes: int, arcs: Iterable[Arc]) -> None:
        self.to: list[int] = []
        self.capacity: list[int] = []  # what is left; that of the opposite arc is at index ^ 1
        self.leaving: list[list[int]] = [[] for _ in range(nodes)]
        for tail, head, capacity in arcs:
            if capacity > 0:
                self.leaving[tail].append(len(self.to))
                self.leaving[head].append(len(self.to) + 1)
                self.to += (head, tail)
                self.capacity += (capacity, 0)

    def _levels(self, source: int) -> list[int]:
        level = [-1] * len(self.leaving)
        level[source] = 0
        front = [source]
        while front:
            following = []
            for node in front:
                for arc in self.leaving[node]:
                    head = self.to[arc]
                    if self.capacity[arc] and level[head] < 0:
                        level[head] = level[node] + 1
                        following.append(head)
            front = following
        return level

    def run(self, source: int, sink: int) -> int:
        """Send as much as possible from `source` to `sink`; how much that is."""
        total = 0
        while (level := self._levels(source))[sink] >= 0:
            waiting = [list(arcs) for arcs in self.leaving]
            while pushed := self._push(source, sink, level, waiting):
                total += pushed
        return total

    def _push(self, source: int, sink: int, level: list[int], waiting: list[list[int]]) -> int:
        """Send along one path of ascending levels; 0 where there is none left."""
        path: list[int] = []
        node = source
        while node != sink:
            arcs = waiting[node]
            while arcs:
                arc = arcs[-1]
                if self.capacity[arc] and level[self.to[arc]] == level[node] + 1:
                    break
                arcs.pop()
            if arcs:
                path.append(arcs[-1])
                node = self.to[arcs[-1]]
            elif path:
                node = self.to[path.pop() ^ 1]
                waiting[node].pop()
            else:
                return 0
        pushed = min(self.capacity[arc] for arc in path)
        for arc in path:
            self.capacity[arc] -= pushed
            self.capacity[arc ^ 1] += pushed
        return pushed

    def side(self, source: int) -> set[int]:
        """After `run`: the nodes on the source's side of a minimum cut."""
        return {node for node, level in enumerate(self._levels(source)) if level >= 0}


class Network:
    """A topology, or some of its links, as a flow network.

    Node r is rank r; resource i is an arc of its bandwidth from node `entry(i)` to `exit(i)`. A
    link passes its resources one after the other, on arcs of its own bandwidth. Flows of
    different links may mix at a resource, so that the network carries at least what the topology
    does: a cut of the network bounds the topology's throughput, perhaps loosely.

    Capacities are integers: GB/s times `scale`.
    """

    def __init__(self, topology: Topology, links: Sequence[Link] | None = None) -> None:
        self.ranks = topology.ranks
        links = topology.links if links is None else links
        self.names = tuple(dict.fromkeys(name for link in links for name in link.via))
        resources = {name: topology.resources[name] for name in self.names}
        widths = {x.bandwidth for x in links} | set(resources.values())
        self.scale = lcm(*(x.denominator for x in widths))
        number = {name: index for index, name in enumerate(self.names)}
        merged: dict[tuple[int, int], int] = {}
        for name, bandwidth in resources.items():
            here = number[name]
            merged[self.entry(here), self.exit(here)] = int(bandwidth * self.scale)
        whole = {x: int(x * self.scale) for x in widths}
        for link in links:
            capacity = whole[link.bandwidth]
            node = link.source
            for name in link.via:
                pair = (node, self.entry(number[name]))
                merged[pair] = merged.get(pair, 0) + capacity
                node = self.exit(number[name])
            pair = (node, link.destination)
            merged[pair] = merged.get(pair, 0) + capacity
        self.arcs: list[Arc] = [(u, v, capacity) for (u, v), capacity in merged.items()]

    @property
    def nodes(self) -> int:
        """Ranks, then an entry and an exit for every resource."""
        return self.ranks + 2 * len(self.names)

    def entry(self, resource: int) -> int:
        """The node at which a transfer enters a resource."""
        return self.ranks + 2 * resource

    def exit(self, resource: int) -> int:
        """The node at which a transfer leaves a resource."""
        return self.ranks + 2 * resource + 1

    def cut(self, side: set[int]) -> int:
        """The capacity of the arcs that leave `side`."""
        return sum(c for u, v, c in self.arcs if u in side and v not in side)


def narrowest(topology: Topology, links: Sequence[Link]) -> tuple[Fraction, tuple[str, ...]]:
    """A narrow passage that all of `links` have to take: its bandwidth, and its resources.

    Each of the links takes one of the resources or is counted itself. The passage is a minimum
    cut between all sources and all destinations, or among many links the narrowest of a few.
    """
    if len(links) > MANY or not any(link.via for link in links):
        return simple(topology, links)
    network = Network(topology, links)
    start, end = network.nodes, network.nodes + 1
    # Sources and destinations are told apart: a rank that receives is no way on.
    arcs = [(u, v + 2 + network.nodes if v < network.ranks else v, c) for u, v, c in network.arcs]
    endless = sum(c for *_, c in arcs) + 1
    arcs += [(start, x, endless) for x in {link.source for link in links}]
    arcs += [(x + 2 + network.nodes, end, endless) for x in {link.destination for link in links}]
    flow = MaxFlow(network.nodes + 2 + network.ranks, arcs)
    flow.run(start, end)
    side = flow.side(start)
    passed = tuple(
        name
        for index, name in enumerate(network.names)
        if network.entry(index) in side and network.exit(index) not in side
    )
    return passage(topology, links, passed), passed


def simple(topology: Topology, links: Sequence[Link]) -> tuple[Fraction, tuple[str, ...]]:
    """The narrowest of a few passages: the links, or the first, second, … resource of each."""
    most = max(len(link.via) for link in links)
    options = {
        frozenset(x.via[min(place, len(x.via) - 1)] for x in links if x.via)
        for place in range(most)
    }
    options.add(frozenset())
    return min((passage(topology, links, names), tuple(sorted(names))) for names in options)


def passage(topology: Topology, links: Iterable[Link], resources: Iterable[str]) -> Fraction:
    """The bandwidth of `resources` and of those links that take none of them.

    All that is sent over `links` passes there, so that its time is at least its amount divided
    by this bandwidth.

    Raises:
        KeyError: the topology has no such resource.
    """
    named = frozenset(resources)
    total = sum((topology.resources[name] for name in named), Fraction(0))
    free = (link.bandwidth for link in links if named.isdisjoint(link.via))
    return sum(free, total)

"""Cuts of a topology that may limit a collective's throughput: where a witness is sought.

Any set of ranks is a valid witness, so nothing here has to be trusted; what is found only
decides how tight the bound is. Where a topology has no shared resources and is not too large,
the cuts of `search` contain one that is optimal among all, except for alltoall, for which that
is NP-hard beyond a few ranks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.collective import Kind
from certune.tasks.collective.distances import Distances
from certune.tasks.collective.flow import MaxFlow, Network
from certune.tasks.collective.topology import Topology

Side: TypeAlias = frozenset[int]

EFFORT = 3_000_000  # arcs times hops times flows
LINKS = 20_000_000  # links times parts of a partition that are tried as cuts
MAX_ARCS = 40_000
ALL_CUTS = 14  # ranks up to which every cut is looked at
KEPT = 24  # cuts that seemed narrowest among all


def search(kind: Kind, topology: Topology, root: int) -> Iterator[Side]:
    """Sets of ranks out of which the collective may have to squeeze its data.

    By kind, with cap(S) the bandwidth out of a set S of ranks:

    - allgather: least cap(S) / |S| over all S but the whole, by parametric maximum flow to every
      rank (W. Dinkelbach, On nonlinear fractional programming, Management Science 13, 1967; the
      optimal throughput of allgather is that ratio: L. Zhao et al., ForestColl, 2024);
    - gather: the same to the root alone; reduce-scatter and scatter: the same backwards;
    - broadcast: minimum cuts between the root and every rank (J. Edmonds, Edge-disjoint
      branchings, 1973); reduce: the same backwards;
    - allreduce: minimum cuts in both directions between one rank and every other;
    - alltoall: every cut up to 14 ranks, else ranges and clusters.
    """
    for parts in partitions(topology):
        for part in parts[:: max(len(parts) * len(topology.links) // LINKS, 1)]:
            yield from _both(part, topology.ranks)
    everyone = frozenset(range(topology.ranks))
    if kind == "alltoall":
        if topology.ranks <= ALL_CUTS:
            yield from _all(topology)
        else:
            yield from _ranges(topology.ranks)
    elif kind in ("allgather", "gather"):
        yield from _gathering(topology, range(topology.ranks) if kind == "allgather" else (root,))
    elif kind in ("reduce-scatter", "scatter"):
        sinks = range(topology.ranks) if kind == "reduce-scatter" else (root,)
        yield from (everyone - side for side in _gathering(topology.reversed(), sinks))
    elif kind == "broadcast":
        yield from _pairs(topology, [(root, rank) for rank in range(topology.ranks)])
    elif kind == "reduce":
        yield from _pairs(topology, [(rank, root) for rank in range(topology.ranks)])
    else:
        there = [(0, rank) for rank in range(topology.ranks)]
        yield from _pairs(topology, [*there, *((b, a) for a, b in there)])


def _both(side: Side, ranks: int) -> tuple[Side, Side]:
    return side, frozenset(range(ranks)) - side


def _ranges(ranks: int) -> Iterator[Side]:
    """Blocks of ranks with neighbouring numbers: all of them where there are few."""
    for size in range(2, ranks // 2 + 1):
        if ranks <= 2 * ALL_CUTS or (size & (size - 1)) == 0 or 2 * size == ranks:
            step = 1 if ranks <= 2 * ALL_CUTS else size
            for first in range(0, ranks - size + 1, step):
                yield from _both(frozenset(range(first, first + size)), ranks)


def partitions(topology: Topology) -> list[tuple[Side, ...]]:
    """Ways to part the ranks that the topology suggests, each into two parts or more.

    Every rank on its own; what remains connected by links above each bandwidth; the ranks that
    send through the same resource.
    """
    everyone = range(topology.ranks)
    found = {tuple(frozenset((rank,)) for rank in everyone): None}
    for least in sorted({x.bandwidth for x in topology.links})[1:][:32]:
        found[_connected(topology, least)] = None
    senders: dict[str, set[int]] = {}
    for link in topology.links:
        for name in link.via:
            senders.setdefault(name, set()).add(link.source)
    groups = {frozenset(ranks) for ranks in senders.values()}
    for size in sorted({len(group) for group in groups}):
        parts = sorted(sorted(group) for group in groups if len(group) == size)
        if sorted(rank for part in parts for rank in part) == list(everyone):
            found[tuple(map(frozenset, parts))] = None
    return [parts for parts in found if len(parts) > 1]


def _connected(topology: Topology, least: Fraction) -> tuple[Side, ...]:
    leader = list(range(topology.ranks))

    def lead(rank: int) -> int:
        while leader[rank] != rank:
            leader[rank] = leader[leader[rank]]
            rank = leader[rank]
        return rank

    for link in topology.links:
        if link.bandwidth >= least:
            leader[lead(link.source)] = lead(link.destination)
    parts: dict[int, list[int]] = {}
    for rank in range(topology.ranks):
        parts.setdefault(lead(rank), []).append(rank)
    return tuple(map(frozenset, parts.values()))


def _chosen(count: int, topology: Topology, network: Network) -> list[int]:
    """Which of `count` flows are affordable, evenly spread."""
    if len(network.arcs) > MAX_ARCS:
        return []
    hops, _ = Distances(topology, lambda link: Fraction(1)).from_rank(0)
    affordable = max(EFFORT // (len(network.arcs) * max(hops)), 1)
    if count <= affordable:
        return list(range(count))
    return [index * count // affordable for index in range(affordable)]


def _gathering(topology: Topology, sinks: Iterable[int]) -> Iterator[Side]:
    """Ever narrower cuts: sets S without one of the sinks, of falling cap(S) / |S|."""
    network = Network(topology)
    sinks = list(sinks)
    ranks = topology.ranks
    source = network.nodes
    best: Fraction | None = None  # what every rank can send to the sinks so far, in scaled GB/s
    for index in _chosen(len(sinks), topology, network):
        sink = sinks[index]
        while True:
            if best is None:
                side = set(range(network.nodes)) - {sink}
            else:
                high, low = best.as_integer_ratio()
                arcs = [(u, v, c * low) for u, v, c in network.arcs]
                arcs += [(source, rank, high) for rank in range(ranks)]
                flow = MaxFlow(network.nodes + 1, arcs)
                if flow.run(source, sink) == ranks * high:
                    break
                side = flow.side(source) - {source}
            inside = frozenset(rank for rank in side if rank < ranks)
            best = Fraction(network.cut(side), len(inside))
            yield inside


def _pairs(topology: Topology, pairs: list[tuple[int, int]]) -> Iterator[Side]:
    """Minimum cuts between pairs of ranks, as far as each is narrower than those before."""
    network = Network(topology)
    pairs = [(a, b) for a, b in pairs if a != b]
    best: int | None = None
    for index in _chosen(len(pairs), topology, network):
        source, sink = pairs[index]
        flow = MaxFlow(network.nodes, network.arcs)
        value = flow.run(source, sink)
        if best is None or value < best:
            best = value
            yield frozenset(rank for rank in flow.side(source) if rank < topology.ranks)


def _all(topology: Topology) -> Iterator[Side]:
    """Of all cuts those that look narrowest for the pairs of ranks that they separate.

    Looked at in floating point; `certune.tasks.collective.bounds` computes exactly.
    """
    ranks = topology.ranks
    masks = np.arange(1, 2**ranks - 1, dtype=np.int64)
    inside = [(masks >> rank & 1).astype(np.bool_) for rank in range(ranks)]
    crosses = [inside[x.source] & ~inside[x.destination] for x in topology.links]
    sizes = np.sum(inside, axis=0)
    narrow = np.full(len(masks), np.inf)
    for end in (None, 0, -1):
        total = np.zeros(len(masks))
        used: dict[str, npt.NDArray[np.bool_]] = {}
        for link, cross in zip(topology.links, crosses, strict=True):
            if end is None or not link.via:
                total += cross * float(link.bandwidth)
            else:
                name = link.via[end]
                used[name] = used[name] | cross if name in used else cross
        for name, taken in used.items():
            total += taken * float(topology.resources[name])
        narrow = np.minimum(narrow, total)
    ratio = narrow / (sizes * (ranks - sizes))
    for index in np.argsort(ratio, kind="stable")[:KEPT].tolist():
        mask = int(masks[index])
        yield frozenset(rank for rank in range(ranks) if mask >> rank & 1)

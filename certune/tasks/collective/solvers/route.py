"""Time-expanded greedy for chunks with one target each: gather, scatter, alltoall."""

from __future__ import annotations

import numpy as np

from certune.tasks.collective.solvers.network import Int, Network
from certune.tasks.collective.solvers.sccl import Send

_WAYS = 4  # next links kept for each pair of ranks
_PASSES = 3  # how often a chunk that found its link full tries another in the same step


def next_links(network: Network, generator: np.random.Generator) -> Int:
    """[ranks, ranks, ways]: links from row towards column on shortest ways, padded by -1."""
    ways = np.full((network.ranks, network.ranks, _WAYS), -1, dtype=np.int64)
    count = np.zeros((network.ranks, network.ranks), dtype=np.int64)
    for link in generator.permutation(len(network.source)).tolist():
        start, end = network.source[link], network.destination[link]
        targets = np.flatnonzero(network.distance[end] == network.distance[start] - 1)
        targets = targets[count[start, targets] < _WAYS]
        ways[start, targets, count[start, targets]] = link
        count[start, targets] += 1
    return ways


def route(
    network: Network,
    sources: Int,
    targets: Int,
    room: Int,
    generator: np.random.Generator,
    most: int,
) -> list[Send] | None:
    """Sends that bring each chunk to its target; None when more than `most` steps are needed.

    `sources` and `targets` are [chunks], `room` [limits] is what passes in a step. Each chunk
    goes a shortest way; those with the longest way left go first, the others wait or try
    another link.
    """
    ways = next_links(network, generator)
    ways_count = (ways >= 0).sum(axis=2)
    place = sources.copy()
    sends: list[Send] = []
    for step in range(most):
        active = np.flatnonzero(place != targets)
        if not len(active):
            return sends
        left = room.copy()
        rest = active[generator.permutation(len(active))]
        moved = 0
        arrived = place.copy()
        for _ in range(_PASSES):
            if not len(rest):
                break
            at, to = place[rest], targets[rest]
            pick = (generator.random(len(rest)) * ways_count[at, to]).astype(np.int64)
            link = ways[at, to, pick]
            order = np.argsort(-network.distance[at, to], kind="stable")
            accepted = _accept(network, link[order], left)
            chosen = order[accepted]
            chunk, used = rest[chosen], link[chosen]
            arrived[chunk] = network.destination[used]
            moved += len(chunk)
            pairs = (network.source[used], network.destination[used], chunk)
            sends += [(step, a, b, c) for a, b, c in zip(*(x.tolist() for x in pairs), strict=True)]
            rest = np.delete(rest, chosen)
        if not moved:
            return None
        place = arrived
    return None if np.any(place != targets) else sends


def _accept(network: Network, link: Int, left: Int) -> Int:
    """Positions of `link`, in its order of precedence, for which there is room; takes it."""
    keep = np.arange(len(link))
    for column in range(network.limits.shape[1]):
        limit = network.limits[link[keep], column]
        bound = limit >= 0
        # How many earlier ones ask for the same limit: positions within runs of a stable sort.
        order = np.argsort(limit, kind="stable")
        ordered = limit[order]
        start = np.flatnonzero(np.diff(ordered, prepend=np.int64(-2)))
        run = np.repeat(start, np.diff(np.append(start, len(ordered))))
        turn = np.empty(len(limit), dtype=np.int64)
        turn[order] = np.arange(len(ordered)) - run
        keep = keep[~bound | (turn < left[limit])]
    for column in range(network.limits.shape[1]):
        limit = network.limits[link[keep], column]
        np.subtract.at(left, limit[limit >= 0], 1)
    return keep

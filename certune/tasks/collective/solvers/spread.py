"""Time-expanded greedy for what everybody needs: allgather, broadcast.

In the spirit of TACOS (W. Won et al., MICRO 2024): the topology is laid out over time and links
are matched to chunks step by step. Steps are synchronous and a link sends only what its source
held before the step, so the result is feasible in data whatever the bandwidths.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.solvers.network import Int, Network
from certune.tasks.collective.solvers.sccl import Send

Bool = npt.NDArray[np.bool_]


def spread(
    network: Network,
    sources: Int,
    room: Int,
    generator: np.random.Generator,
    most: int,
) -> list[Send] | None:
    """Sends by which every rank gets every chunk; None when more than `most` steps are needed.

    `sources` [chunks] holds each chunk at the start; `room` [limits] is what passes in a step.
    Ranks take turns in random order; each offers its links, in random order, the chunks that
    fewest ranks hold. Between islands a chunk passes once, faster links spread it there.
    """
    chunks = len(sources)
    held = np.zeros((network.ranks, chunks), dtype=bool)
    held[sources, np.arange(chunks)] = True
    islands = int(network.island.max()) + 1
    landed = np.zeros((islands, chunks), dtype=bool)  # whether an island has or awaits a chunk
    landed[network.island[sources], np.arange(chunks)] = True
    holders = np.ones(chunks)
    missing = network.ranks * chunks - chunks
    bounded = room < 2**40
    sends: list[Send] = []
    for step in range(most):
        if not missing:
            return sends
        before = held.copy()
        left = room.copy()
        noise = generator.random(chunks) * 0.9
        progress = 0
        for rank in generator.permutation(network.ranks).tolist():
            links = np.arange(network.first[rank], network.first[rank + 1])
            for link in links[generator.permutation(len(links))].tolist():
                limits = network.limits[link]
                limits = limits[limits >= 0]
                free = int(left[limits].min())
                if free <= 0:
                    continue
                to = int(network.destination[link])
                useful = before[rank] & ~held[to]
                if network.slow[link]:
                    useful &= ~landed[network.island[to]]
                wanted = np.flatnonzero(useful)
                if not len(wanted):
                    continue
                if len(wanted) > free:
                    keys = holders[wanted] + noise[wanted]
                    wanted = wanted[np.argpartition(keys, free - 1)[:free]]
                held[to, wanted] = True
                landed[network.island[to], wanted] = True
                holders[wanted] += 1
                left[limits[bounded[limits]]] -= len(wanted)
                progress += len(wanted)
                sends += [(step, rank, to, chunk) for chunk in wanted.tolist()]
        if not progress:
            return None
        missing -= progress
    return None if missing else sends

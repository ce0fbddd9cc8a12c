"""Allreduce in few steps: every rank adds up, nothing is scattered.

A reduce-scatter and an allgather after it take at least twice as many steps as the farthest
rank is away. Recursive doubling on a hypercube takes half of that, since every rank adds what
its neighbours have added up so far. Whether a topology has such a schedule is a question to
SAT: each rank starts with its own contribution; in each step some links send the sum that their
source holds, and what a rank receives must not overlap with what it holds or receives besides.

The data is not cut, so this is for small messages. Schedules that also copy are not looked
for; that there is no model proves nothing about allreduce in general.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from certune.core import Query
from certune.tasks.collective.solvers.cnf import FALSE, TRUE, Cnf
from certune.tasks.collective.solvers.sccl import Send, distances


def doubling(
    ranks: int, links: Sequence[tuple[int, int]], steps: int
) -> tuple[Query, dict[int, Send]]:
    """The query for so many steps, and what its send variables mean; every send adds."""
    cnf = Cnf()
    away = [distances(ranks, links, [origin]) for origin in range(ranks)]
    # held[t][rank][origin]: the sum that rank holds after t steps has origin's contribution.
    held = [
        [
            [
                _known(rank == origin or time == steps, away[origin][rank] <= time, cnf)
                for origin in range(ranks)
            ]
            for rank in range(ranks)
        ]
        for time in range(steps + 1)
    ]
    sends: dict[int, Send] = {}
    for step in range(steps):
        before, after = held[step], held[step + 1]
        gained: dict[tuple[int, int], list[int]] = defaultdict(list)
        for source, destination in links:
            sent = cnf.new()
            sends[sent] = (step, source, destination, 0)
            for origin in range(ranks):
                if before[source][origin] == FALSE:
                    continue
                brought = cnf.new()
                cnf.add(-sent, -before[source][origin], brought)
                cnf.add(-brought, sent)
                cnf.add(-brought, before[source][origin])
                gained[destination, origin].append(brought)
        for rank in range(ranks):
            for origin in range(ranks):
                old, new = before[rank][origin], after[rank][origin]
                brought_by = gained[rank, origin]
                cnf.add(-old, new)
                cnf.add(-new, old, *brought_by)
                for brought in brought_by:
                    cnf.add(-brought, new)
                    cnf.add(-brought, -old)
                cnf.at_most_one(brought_by)
    return cnf.query(), sends


def _known(certain: bool, possible: bool, cnf: Cnf) -> int:
    if not possible:
        return FALSE
    return TRUE if certain else cnf.new()

"""Lower bounds on the cost of every schedule of a collective, each with a witness.

All are proven in the cost model of `certune.tasks.collective.cost`. Write T_s for the time of
step s, M for the size of the buffer, and *element* for a link or a shared resource e with
bandwidth b_e; in step s it carries w_es bytes. The model gives T_s >= w_es / b_e for every
element, hence for weights c_e >= 0, and for a whole schedule,

    T * sum_e c_e b_e  >=  sum_e c_e w_e,      with T = sum_s T_s and w_e = sum_s w_es.   (1)

**Distance** (latency). What rank a holds at the start and rank b needs at the end travels over
links of different steps, since a rank sends only what it held before the step. An empty message
costs each step the greatest alpha in use, so all steps together cost at least the shortest path
from a to b by alpha. For sums, what travels is a's contribution.

**Cut** (bandwidth). Let S be a set of ranks. What the ranks outside S must learn from S crosses
from S at least once, in `demand` buffers. Let X be a set of elements such that every link from S
to the outside is in X or takes a resource in X. With c_e = 1 on X, (1) says
T * sum_X b_e >= demand * M. The witness is S and the resources of X; the links that take none of
these are the others.

**Traffic** (bandwidth of allreduce). Part the ranks into k sets. For every piece each part must
learn the contributions of each other part; seen from the parts this is gossip by one-way calls,
which takes at least 2k - 2 calls (F. Harary and A. J. Schwenk, The communication problem on
graphs and digraphs, J. Franklin Institute 297, 1974): put the sends in an order; before the first
part has heard of all, k - 1 others were heard of by as many sends between parts at least, and
after that each of the k - 1 others must still receive one. So at least (2k - 2) * M bytes cross
between parts, and (1) applies to any X that all links between parts pass. With every rank on its
own this is the bound of P. Patarasu and X. Yuan, Bandwidth optimal all-reduce algorithms for
clusters of workstations, JPDC 69, 2009.

**Metric** (bandwidth of alltoall). Give the elements lengths c_e; a transfer over a link has the
length of the link and of all that it takes. Rank a sends M / R bytes to each other rank b over
paths at least dist(a, b) long, so (1) says T * sum_e c_e b_e >= sum_ab dist(a, b) * M / R.
Lengths are 1 for each link (`hops`), or 1 / b_e for the narrowest element of each link (`time`).

**Time** at a size. T is at least the latency. A schedule has at least as many steps as the
farthest required pair has hops; each step costs at least the least alpha of any link on top of
its load, T_s >= alpha + w_es / b_e. Summing up: T >= hops * alpha + M / (bandwidth bound).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from certune.core import Bound, Json
from certune.tasks.collective import witness
from certune.tasks.collective.collective import Kind
from certune.tasks.collective.cuts import Side, partitions, search
from certune.tasks.collective.distances import Distances, Length, path
from certune.tasks.collective.flow import narrowest, simple
from certune.tasks.collective.statement import check, state
from certune.tasks.collective.topology import Topology

__all__ = ["bandwidth_bound", "check", "distance_bound", "known", "time_bound"]

EFFORT = 2_000_000  # links looked at while distances are taken
LOOKED = 3_000_000  # links looked at while cuts are compared
KEPT = 24  # cuts that a minimum cut is sought for


def known(kind: Kind, topology: Topology, root: int = 0, sizes: Iterable[int] = ()) -> list[Bound]:
    """The bounds on latency and bandwidth, and on the time at each of `sizes` (bytes)."""
    distance = distance_bound(kind, topology, root)
    bandwidth = bandwidth_bound(kind, topology, root)
    times = [time_bound(kind, topology, root, x, distance, bandwidth) for x in sizes]
    return [distance, bandwidth, *times]


def distance_bound(kind: Kind, topology: Topology, root: int = 0) -> Bound:
    """The bound on latency by the shortest path of the pair that is farthest apart."""
    way = _farthest(kind, topology, root, witness.alpha)
    evidence: Mapping[str, Json] = {"path": way}
    return state(witness.DISTANCE, kind, topology, root, evidence)


def _farthest(kind: Kind, topology: Topology, root: int, length: Length) -> list[int]:
    """The shortest path of the required pair that is farthest apart, among those looked at."""
    backwards = kind in ("reduce", "gather")
    start = [root] if backwards else list(witness.sources(kind, topology.ranks, root))
    distances = Distances(topology.reversed() if backwards else topology, length)
    least = -1
    found: list[int] = []
    for source in start[: max(EFFORT // len(topology.links), 1)]:
        distance, before = distances.from_rank(source)
        others = (rank for rank in range(topology.ranks) if rank != source)
        target = max(others, key=distance.__getitem__)
        if distance[target] > least:
            least, found = distance[target], path(before, target)
    return found[::-1] if backwards else found


def bandwidth_bound(kind: Kind, topology: Topology, root: int = 0) -> Bound:
    """The least bound on bandwidth among the witnesses that were found."""
    options = [_best_cut(kind, topology, root)]
    if kind == "allreduce":
        options += [_traffic_bound(topology, parts) for parts in partitions(topology)]
    if kind == "alltoall" and topology.ranks * len(topology.links) <= EFFORT:
        options += [
            state(witness.METRIC, kind, topology, root, {"lengths": lengths})
            for lengths in witness.LENGTHS
        ]
    return min(options, key=lambda bound: bound.value)


def _best_cut(kind: Kind, topology: Topology, root: int) -> Bound:
    sides: dict[Side, Fraction] = {}
    looked = 0
    for side in search(kind, topology, root):
        amount = witness.demand(kind, topology.ranks, root, side)
        if amount and side not in sides:
            links = witness.leaving(topology, side)
            sides[side] = simple(topology, links)[0] / amount
            looked += len(links)
            if looked > LOOKED:
                break
    # A single rank is among the sides. A minimum cut takes longer: for the most promising alone.
    best: tuple[Fraction, Side, tuple[str, ...]] | None = None
    for side in sorted(sides, key=sides.__getitem__)[:KEPT]:
        amount = witness.demand(kind, topology.ranks, root, side)
        width, resources = narrowest(topology, witness.leaving(topology, side))
        if best is None or width / amount < best[0]:
            best = width / amount, side, resources
    assert best is not None
    _, side, resources = best
    evidence: Mapping[str, Json] = {"ranks": sorted(side), "resources": list(resources)}
    return state(witness.CUT, kind, topology, root, evidence)


def _traffic_bound(topology: Topology, parts: Sequence[Side]) -> Bound:
    _, resources = narrowest(topology, witness.between(topology, parts))
    listed: Json = [sorted(part) for part in parts]
    evidence: Mapping[str, Json] = {"parts": listed, "resources": list(resources)}
    return state(witness.TRAFFIC, "allreduce", topology, 0, evidence)


def time_bound(
    kind: Kind, topology: Topology, root: int, size: int, distance: Bound, bandwidth: Bound
) -> Bound:
    """The bound on the time for `size` bytes that follows from those on latency and bandwidth."""
    evidence: Mapping[str, Json] = {
        "size": size,
        "latency": dict(distance.evidence),
        "hops": {"path": _farthest(kind, topology, root, witness.hop)},
        "bandwidth": {"check": bandwidth.check, "evidence": dict(bandwidth.evidence)},
    }
    return state(witness.TIME, kind, topology, root, evidence)

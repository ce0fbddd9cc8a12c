"""What follows from a witness: the trusted half of `certune.tasks.collective.bounds`.

Every function recomputes a bound's value from the topology and the witness, which may come from
a certificate and be anything at all. Why the values are bounds is shown in `bounds`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from certune.core import Json
from certune.tasks.collective.collective import Kind
from certune.tasks.collective.cost import BYTES_PER_MICROSECOND
from certune.tasks.collective.distances import Distances, Length
from certune.tasks.collective.flow import passage
from certune.tasks.collective.topology import Link, Topology

DISTANCE = "collective/distance"
CUT = "collective/cut"
TRAFFIC = "collective/traffic"
METRIC = "collective/metric"
TIME = "collective/time"

LENGTHS = ("hops", "time")

_ZERO, _ONE = Fraction(0), Fraction(1)


def demand(kind: Kind, ranks: int, root: int, side: frozenset[int]) -> Fraction:
    """How many buffers at least must cross from `side` to the other ranks; see the module."""
    inside, outside = len(side), ranks - len(side)
    if not inside or not outside:
        return Fraction(0)
    if kind == "allgather":
        return Fraction(inside, ranks)
    if kind == "reduce-scatter":
        return Fraction(outside, ranks)
    if kind == "alltoall":
        return Fraction(inside * outside, ranks)
    if kind == "allreduce":
        return Fraction(1)
    if kind in ("broadcast", "scatter"):
        amount = Fraction(1) if kind == "broadcast" else Fraction(outside, ranks)
        return amount if root in side else Fraction(0)
    amount = Fraction(1) if kind == "reduce" else Fraction(inside, ranks)
    return Fraction(0) if root in side else amount


def sources(kind: Kind, ranks: int, root: int) -> Sequence[int]:
    """The ranks from which something must reach others."""
    return (root,) if kind in ("broadcast", "scatter") else range(ranks)


def targets(kind: Kind, ranks: int, root: int) -> Sequence[int]:
    """The ranks that something from each source must reach."""
    return (root,) if kind in ("reduce", "gather") else range(ranks)


def alpha(link: Link) -> Fraction:
    """The length of a link in µs."""
    return link.alpha


def hop(link: Link) -> Fraction:
    """The length of a link in hops."""
    return Fraction(1)


def _required(kind: Kind, topology: Topology, root: int, way: list[int]) -> None:
    ranks = topology.ranks
    if (
        len(way) < 2
        or way[0] == way[-1]
        or way[0] not in sources(kind, ranks, root)
        or way[-1] not in targets(kind, ranks, root)
    ):
        raise ValueError("not a pair that the collective requires")


def distance(
    kind: Kind, topology: Topology, root: int, evidence: Mapping[str, Json], length: Length = alpha
) -> Fraction:
    """How far apart the ends of the witness path are, by the shortest path."""
    way = _ranks(evidence["path"], topology)
    _required(kind, topology, root, way)
    return Distances(topology, length).between(way[0], way[-1])


def shortest(topology: Topology, evidence: Mapping[str, Json], value: Fraction) -> list[int]:
    """The ranks of the witness path, which must be links of the topology and `value` µs long."""
    way = _ranks(evidence["path"], topology)
    links = [topology.find(a, b) for a, b in pairwise(way)]
    if sum((link.alpha for link in links if link is not None), _ZERO) != value or None in links:
        raise ValueError("not the shortest path")
    return way


def leaving(topology: Topology, side: frozenset[int]) -> list[Link]:
    """The links from the ranks of `side` to others."""
    if 2 * len(side) <= topology.ranks:
        return [x for rank in side for x in topology.outgoing[rank] if x.destination not in side]
    others = (rank for rank in range(topology.ranks) if rank not in side)
    return [x for rank in others for x in topology.incoming[rank] if x.source in side]


def cut(kind: Kind, topology: Topology, root: int, evidence: Mapping[str, Json]) -> Fraction:
    """The bandwidth in GB/s that a cut allows."""
    side = frozenset(_ranks(evidence["ranks"], topology))
    amount = demand(kind, topology.ranks, root, side)
    if not amount:
        raise ValueError("nothing has to cross this cut")
    resources = _names(evidence["resources"], topology)
    return passage(topology, leaving(topology, side), resources) / amount


def between(topology: Topology, parts: Sequence[Iterable[int]]) -> list[Link]:
    """The links between different parts."""
    part = {rank: index for index, ranks in enumerate(parts) for rank in ranks}
    return [x for x in topology.links if part[x.source] != part[x.destination]]


def traffic(kind: Kind, topology: Topology, root: int, evidence: Mapping[str, Json]) -> Fraction:
    """The bandwidth in GB/s that the traffic between parts allows."""
    if kind != "allreduce":
        raise ValueError("the traffic bound is for allreduce")
    given = evidence["parts"]
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) < 2:
        raise ValueError("expected two parts or more")
    parts = [_ranks(part, topology) for part in given]
    if not all(parts) or sorted(r for part in parts for r in part) != list(range(topology.ranks)):
        raise ValueError("the parts are no partition of the ranks")
    resources = _names(evidence["resources"], topology)
    return passage(topology, between(topology, parts), resources) / (2 * len(parts) - 2)


def _narrowest_element(topology: Topology, link: Link) -> str | None:
    """The resource of a link that is narrower than the link and its others, or None."""
    name = min(link.via, key=lambda x: topology.resources[x], default=None)
    return name if name is not None and topology.resources[name] <= link.bandwidth else None


def metric_value(topology: Topology, lengths: str) -> Fraction:
    """The bandwidth in GB/s that lengths of a kind allow; see `bounds`."""
    own: dict[tuple[int, int], Fraction] = {}
    shared: dict[str, Fraction] = {}
    for link in topology.links:
        element = _narrowest_element(topology, link) if lengths == "time" else None
        if element is not None:
            shared[element] = 1 / topology.resources[element]
        else:
            own[link.source, link.destination] = 1 / link.bandwidth if lengths == "time" else _ONE

    def length(link: Link) -> Fraction:
        extra = sum((shared.get(name, _ZERO) for name in link.via), _ZERO)
        return own.get((link.source, link.destination), _ZERO) + extra

    volume = sum(
        (own.get((x.source, x.destination), _ZERO) * x.bandwidth for x in topology.links), _ZERO
    )
    volume += sum((shared[name] * topology.resources[name] for name in shared), _ZERO)
    distances = Distances(topology, length)
    total = sum(sum(distances.from_rank(rank)[0]) for rank in range(topology.ranks))
    return topology.ranks * volume * distances.scale / total


def metric(kind: Kind, topology: Topology, root: int, evidence: Mapping[str, Json]) -> Fraction:
    """The bandwidth in GB/s that lengths of a kind allow."""
    lengths = evidence["lengths"]
    if kind != "alltoall" or lengths not in LENGTHS:
        raise ValueError("the metric bound is for alltoall, by hops or time")
    return metric_value(topology, str(lengths))


def time(kind: Kind, topology: Topology, root: int, evidence: Mapping[str, Json]) -> Fraction:
    """The time in µs that distance and bandwidth leave at the least."""
    size, inner = evidence["size"], members(evidence["bandwidth"])
    if type(size) is not int or size < 0:
        raise ValueError("expected a size in bytes")
    check = inner["check"]
    if not isinstance(check, str) or check not in _BANDWIDTHS:
        raise ValueError("expected a bound on bandwidth")
    width = _BANDWIDTHS[check](kind, topology, root, members(inner["evidence"]))
    latency = distance(kind, topology, root, members(evidence["latency"]))
    hops = distance(kind, topology, root, members(evidence["hops"]), hop)
    alpha = min(link.alpha for link in topology.links)
    return max(latency, hops * alpha + size / (width * BYTES_PER_MICROSECOND))


_BANDWIDTHS = {CUT: cut, TRAFFIC: traffic, METRIC: metric}


def members(value: Json) -> Mapping[str, Json]:
    """The members of an object, which `value` must be."""
    if not isinstance(value, Mapping):
        raise TypeError("expected an object")
    return value


def _ranks(value: Json, topology: Topology) -> list[int]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError("expected an array of ranks")
    found = []
    for rank in value:
        if type(rank) is not int or not 0 <= rank < topology.ranks:
            raise ValueError("expected ranks of the topology")
        found.append(rank)
    return found


def _names(value: Json, topology: Topology) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError("expected an array of resources")
    found = []
    for name in value:
        if not isinstance(name, str) or name not in topology.resources:
            raise ValueError("expected resources of the topology")
        found.append(name)
    return found

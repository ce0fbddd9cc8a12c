"""Topologies by name, with parameters as people give them.

Specifications refer to these by name, so what a name stands for is part of the family's
semantics: a test pins the digest of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod
from typing import TypeAlias

from certune.core import InvalidInput, Parameter
from certune.core.codec import fraction
from certune.core.errors import nearest
from certune.tasks.collective.collective import MAX_RANKS
from certune.tasks.collective.topology import Link, Topology

MAX_LINKED = 1024  # ranks, where every pair has a link: about a million links

Values: TypeAlias = Mapping[str, str]

# NVLink: 0.7 µs as measured by Shah et al., "TACCL: Guiding Collective Algorithm Synthesis using
# Communication Sketches", NSDI 2023, table 1; InfiniBand 1.7 µs from the same table.
_NVLINK_ALPHA = "0.7"
_NIC_ALPHA = "1.7"


@dataclass(frozen=True)
class Entry:
    """A topology of the library: what it is, its parameters, and how it is built from them."""

    summary: str
    parameters: tuple[Parameter, ...]
    build: Callable[[Values], Topology]


def _whole(values: Values, name: str, low: int, high: int) -> int:
    text = values[name]
    number = int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else -1
    if not low <= number <= high:
        raise InvalidInput(
            f"{text[:40]!r} cannot be used", place=name, remedy=f"give {low} to {high}"
        )
    return number


def _quantity(values: Values, name: str) -> Fraction:
    return fraction(values[name], name)


def _both(
    pairs: Iterable[tuple[int, int]], alpha: Fraction, bandwidth: Fraction
) -> tuple[Link, ...]:
    """A link in each direction for every pair."""
    return tuple(
        Link(source, destination, alpha, bandwidth)
        for a, b in pairs
        for source, destination in ((a, b), (b, a))
    )


_LINK = (
    Parameter("alpha", "latency of a link in µs", _NVLINK_ALPHA),
    Parameter("bandwidth", "bandwidth of a link in GB/s", "25"),
)


def _ranks(default: int) -> Parameter:
    return Parameter("ranks", "number of ranks", str(default))


# Two NVLinks between these GPUs of a DGX-1 with V100, one between those; 25 GB/s each way.
_DGX1_DOUBLE = ((0, 3), (0, 4), (1, 2), (1, 5), (2, 3), (4, 7), (5, 6), (6, 7))
_DGX1_SINGLE = ((0, 1), (0, 2), (1, 3), (2, 6), (3, 7), (4, 5), (4, 6), (5, 7))


def _dgx1(values: Values) -> Topology:
    alpha = _quantity(values, "alpha")
    bandwidth = _quantity(values, "bandwidth")
    double = _both(_DGX1_DOUBLE, alpha, 2 * bandwidth)
    return Topology("dgx1", 8, double + _both(_DGX1_SINGLE, alpha, bandwidth))


def _simple(
    name: str, pairs: Callable[[int], Iterable[tuple[int, int]]], most: int = MAX_RANKS
) -> Callable[[Values], Topology]:
    def build(values: Values) -> Topology:
        ranks = _whole(values, "ranks", 2, most)
        alpha, bandwidth = _quantity(values, "alpha"), _quantity(values, "bandwidth")
        return Topology(f"{name}-{ranks}", ranks, _both(pairs(ranks), alpha, bandwidth))

    return build


def _line_pairs(ranks: int) -> Iterator[tuple[int, int]]:
    return zip(range(ranks - 1), range(1, ranks), strict=True)


def _ring_pairs(ranks: int) -> Iterator[tuple[int, int]]:
    yield from _line_pairs(ranks)
    if ranks > 2:
        yield ranks - 1, 0


def _full_pairs(ranks: int) -> Iterator[tuple[int, int]]:
    return ((a, b) for a in range(ranks) for b in range(a + 1, ranks))


def _star_pairs(ranks: int) -> Iterator[tuple[int, int]]:
    return ((0, rank) for rank in range(1, ranks))


def _grid(name: str, axes: Sequence[str], wrap: bool) -> Callable[[Values], Topology]:
    """A mesh, or a torus with `wrap`; ranks count along the last axis first.

    A torus axis of length 2 has one link between its two ranks, not two.
    """

    def build(values: Values) -> Topology:
        lengths = [_whole(values, axis, 1, MAX_RANKS) for axis in axes]
        ranks = prod(lengths)
        if not 2 <= ranks <= MAX_RANKS:
            raise InvalidInput(
                f"{ranks} ranks", place=axes[0], remedy=f"give axes of 2 to {MAX_RANKS} ranks"
            )
        strides = [prod(lengths[axis + 1 :]) for axis in range(len(lengths))]
        pairs = []
        for here in product(*map(range, lengths)):
            rank = sum(x * stride for x, stride in zip(here, strides, strict=True))
            for x, length, stride in zip(here, lengths, strides, strict=True):
                if x + 1 < length:
                    pairs.append((rank, rank + stride))
                elif wrap and length > 2:
                    pairs.append((rank, rank - (length - 1) * stride))
        shape = "x".join(map(str, lengths))
        links = _both(pairs, _quantity(values, "alpha"), _quantity(values, "bandwidth"))
        return Topology(f"{name}-{shape}", ranks, links)

    return build


def _hypercube(values: Values) -> Topology:
    dimensions = _whole(values, "dimensions", 1, 12)
    ranks = 2**dimensions
    pairs = (
        (a, a ^ 1 << bit) for a in range(ranks) for bit in range(dimensions) if not a >> bit & 1
    )
    links = _both(pairs, _quantity(values, "alpha"), _quantity(values, "bandwidth"))
    return Topology(f"hypercube-{dimensions}", ranks, links)


def _switch(values: Values) -> Topology:
    ranks = _whole(values, "ranks", 2, MAX_LINKED)
    alpha, bandwidth = _quantity(values, "alpha"), _quantity(values, "bandwidth")
    links = tuple(
        Link(a, b, alpha, bandwidth, (f"rank{a}.out", f"rank{b}.in"))
        for a in range(ranks)
        for b in range(ranks)
        if a != b
    )
    ports = {f"rank{a}.{way}": bandwidth for a in range(ranks) for way in ("out", "in")}
    return Topology(f"switch-{ranks}", ranks, links, ports)


def _fat_tree(values: Values) -> Topology:
    leaves = _whole(values, "leaves", 1, MAX_LINKED)
    size = _whole(values, "ranks-per-leaf", 1, MAX_LINKED)
    ranks = leaves * size
    if not 2 <= ranks <= MAX_LINKED:
        raise InvalidInput(f"{ranks} ranks", place="leaves", remedy=f"give 2 to {MAX_LINKED}")
    bandwidth = _quantity(values, "bandwidth")
    alpha, spine = _quantity(values, "alpha"), _quantity(values, "spine-alpha")
    over = _quantity(values, "oversubscription")
    if over <= 0:
        raise InvalidInput("it must be positive", place="oversubscription", remedy="give 1 or more")
    links = []
    for a, b in product(range(ranks), repeat=2):
        if a == b:
            continue
        out, into = f"rank{a}.out", f"rank{b}.in"
        if a // size == b // size:
            links.append(Link(a, b, alpha, bandwidth, (out, into)))
        else:
            via = (out, f"leaf{a // size}.up", f"leaf{b // size}.down", into)
            links.append(Link(a, b, spine, bandwidth, via))
    resources = {f"rank{a}.{way}": bandwidth for a in range(ranks) for way in ("out", "in")}
    if leaves > 1:
        up = size * bandwidth / over
        resources |= {f"leaf{x}.{way}": up for x in range(leaves) for way in ("up", "down")}
    return Topology(f"fat-tree-{leaves}x{size}", ranks, tuple(links), resources)


def _nvswitch_nodes(values: Values) -> Topology:
    nodes = _whole(values, "nodes", 1, MAX_LINKED)
    gpus = _whole(values, "gpus", 1, MAX_LINKED)
    ranks = nodes * gpus
    if not 2 <= ranks <= MAX_LINKED:
        raise InvalidInput(f"{ranks} ranks", place="nodes", remedy=f"give 2 to {MAX_LINKED}")
    nics = _whole(values, "nics", 1, gpus)
    alpha, bandwidth = _quantity(values, "alpha"), _quantity(values, "bandwidth")
    nic_alpha, nic_bandwidth = _quantity(values, "nic-alpha"), _quantity(values, "nic-bandwidth")

    def nic(rank: int) -> str:
        return f"node{rank // gpus}.nic{rank % gpus * nics // gpus}"

    links = []
    for a, b in product(range(ranks), repeat=2):
        if a == b:
            continue
        if a // gpus == b // gpus:
            links.append(Link(a, b, alpha, bandwidth, (f"gpu{a}.out", f"gpu{b}.in")))
        else:
            via = (f"{nic(a)}.out", f"{nic(b)}.in")
            links.append(Link(a, b, nic_alpha, min(bandwidth, nic_bandwidth), via))
    resources: dict[str, Fraction] = {}
    if gpus > 1:
        resources |= {f"gpu{a}.{way}": bandwidth for a in range(ranks) for way in ("out", "in")}
    if nodes > 1:
        names = product(range(nodes), range(nics), ("out", "in"))
        resources |= {f"node{n}.nic{k}.{way}": nic_bandwidth for n, k, way in names}
    return Topology(f"nvswitch-nodes-{nodes}x{gpus}", ranks, tuple(links), resources)


def _axis(name: str, default: int) -> Parameter:
    return Parameter(name, f"ranks along the {name} axis", str(default))


_PLANE = (_axis("rows", 4), _axis("columns", 4))
_SPACE = (_axis("x", 2), _axis("y", 2), _axis("z", 2))
_PORT = (
    Parameter("alpha", "latency through the switch in µs", _NVLINK_ALPHA),
    Parameter("bandwidth", "bandwidth of a port, each way, in GB/s", "25"),
)

LIBRARY: Mapping[str, Entry] = {
    "dgx1": Entry(
        "NVIDIA DGX-1 with 8 V100: hybrid cube mesh, 6 NVLinks of 25 GB/s at every GPU",
        (
            Parameter("alpha", "latency of NVLink in µs", _NVLINK_ALPHA),
            Parameter("bandwidth", "bandwidth of one NVLink, each way, in GB/s", "25"),
        ),
        _dgx1,
    ),
    "ring": Entry(
        "each rank linked to its two neighbours", (_ranks(8), *_LINK), _simple("ring", _ring_pairs)
    ),
    "line": Entry(
        "a ring without its last link", (_ranks(8), *_LINK), _simple("line", _line_pairs)
    ),
    "full": Entry(
        "a link of its own for every pair of ranks",
        (_ranks(8), *_LINK),
        _simple("full", _full_pairs, MAX_LINKED),
    ),
    "star": Entry(
        "rank 0 in the middle, linked to every other rank",
        (_ranks(8), *_LINK),
        _simple("star", _star_pairs),
    ),
    "mesh2d": Entry("a grid", (*_PLANE, *_LINK), _grid("mesh2d", ("rows", "columns"), False)),
    "torus2d": Entry(
        "a grid that closes on itself in both directions",
        (*_PLANE, *_LINK),
        _grid("torus2d", ("rows", "columns"), True),
    ),
    "mesh3d": Entry(
        "a grid in three dimensions", (*_SPACE, *_LINK), _grid("mesh3d", ("x", "y", "z"), False)
    ),
    "torus3d": Entry(
        "a three-dimensional grid that closes on itself",
        (*(_axis(name, 3) for name in "xyz"), *_LINK),
        _grid("torus3d", ("x", "y", "z"), True),
    ),
    "hypercube": Entry(
        "ranks linked where their numbers differ in one bit",
        (Parameter("dimensions", "number of bits", "3"), *_LINK),
        _hypercube,
    ),
    "switch": Entry(
        "ranks behind one switch; what a rank sends shares its port out, what it gets its port in",
        (_ranks(8), *_PORT),
        _switch,
    ),
    "fat-tree": Entry(
        "two levels of switches; what crosses leaves shares their links up and down",
        (
            Parameter("leaves", "number of leaf switches", "4"),
            Parameter("ranks-per-leaf", "ranks behind each leaf switch", "4"),
            Parameter("oversubscription", "bandwidth of a leaf's ranks over that of its up", "1"),
            Parameter("alpha", "latency within a leaf in µs", _NIC_ALPHA),
            Parameter("spine-alpha", "latency between leaves in µs", "2.5"),
            Parameter("bandwidth", "bandwidth of a rank's port, each way, in GB/s", "25"),
        ),
        _fat_tree,
    ),
    "nvswitch-nodes": Entry(
        "nodes of GPUs behind NVSwitch, joined by NICs that GPUs of a node share",
        (
            Parameter("nodes", "number of nodes", "2"),
            Parameter("gpus", "GPUs in a node", "8"),
            Parameter("nics", "NICs in a node, shared evenly by its GPUs", "8"),
            Parameter("alpha", "latency through NVSwitch in µs", _NVLINK_ALPHA),
            Parameter("bandwidth", "NVSwitch bandwidth of a GPU, each way, in GB/s", "300"),
            Parameter("nic-alpha", "latency between nodes in µs", _NIC_ALPHA),
            Parameter("nic-bandwidth", "bandwidth of a NIC, each way, in GB/s", "25"),
        ),
        _nvswitch_nodes,
    ),
}


def build(name: str, parameters: Mapping[str, str] | None = None) -> Topology:
    """The topology of this name; parameters that are not given have their defaults.

    Raises:
        InvalidInput: an unknown name or parameter, or a value that cannot be used.
    """
    entry = LIBRARY.get(name)
    if entry is None:
        raise InvalidInput(
            f"unknown topology {name[:60]!r}", place="topology", remedy=nearest(name[:60], LIBRARY)
        )
    values = {p.name: p.default for p in entry.parameters if p.default is not None}
    for key, value in (parameters or {}).items():
        if key not in values:
            raise InvalidInput(
                f"unknown parameter {key[:60]!r}",
                place=f"topology {name}",
                remedy=nearest(key[:60], values),
            )
        values[key] = value
    try:
        return entry.build(values)
    except InvalidInput as error:
        raise error.within(f"topology {name}") from None

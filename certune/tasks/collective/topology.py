"""Topologies: ranks, directed links with latency and bandwidth, and what links share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True)
class Link:
    """A directed link between two ranks.

    `alpha` is the latency in µs, `bandwidth` in GB/s (10^9 bytes a second). `via` names the
    shared resources (NIC, switch port) that a transfer takes on its way, in order.
    """

    source: int
    destination: int
    alpha: Fraction
    bandwidth: Fraction
    via: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topology:
    """Ranks 0 … `ranks` - 1, at most one link for each ordered pair, shared resources in GB/s."""

    name: str
    ranks: int
    links: tuple[Link, ...]
    resources: Mapping[str, Fraction] = field(default_factory=dict)

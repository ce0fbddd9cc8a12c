"""What a witness says, as a bound: its value and its words, from the witness alone.

A bound is made here and nowhere else, and checked by being made again: whatever a certificate
claims beside its witness (value, metric, words, scope) must be what the witness says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from certune.core import Bound, Json, Metric
from certune.tasks.collective import witness
from certune.tasks.collective.collective import Kind
from certune.tasks.collective.cost import BANDWIDTH, LATENCY, time_metric
from certune.tasks.collective.topology import Topology

_LENGTHS = {
    "hops": "the links that all data must take",
    "time": "the time that it takes of each link",
}


def state(
    check: str, kind: Kind, topology: Topology, root: int, evidence: Mapping[str, Json]
) -> Bound:
    """The bound that a witness of the kind `check` shows.

    Raises:
        ValueError, TypeError, KeyError: it is no such witness.
    """
    metric, name, value, claim = _said(check, kind, topology, root, evidence)
    return Bound(name, metric, value, "proven", claim, check, evidence)


def check(bound: Bound, kind: Kind, topology: Topology, root: int = 0) -> bool:
    """Whether the bound is the one that its witness shows; False for any other claim."""
    try:
        shown = state(bound.check, kind, topology, root, bound.evidence)
    except (KeyError, ValueError, TypeError):
        return False
    return shown == bound


def _said(
    check: str, kind: Kind, topology: Topology, root: int, evidence: Mapping[str, Json]
) -> tuple[Metric, str, Fraction, str]:
    """Metric, name, value and words of a witness."""
    if check == witness.DISTANCE:
        value = witness.distance(kind, topology, root, evidence)
        way = witness.shortest(topology, evidence, value)
        claim = (
            f"an empty message takes at least {float(value):g} µs: what rank {way[0]} has must "
            f"reach rank {way[-1]}, over links {'-'.join(map(str, way))} or longer"
        )
        return LATENCY, "distance", value, claim
    if check == witness.TIME:
        value = witness.time(kind, topology, root, evidence)
        size = int(str(evidence["size"]))
        inner = witness.members(evidence["bandwidth"])
        _, name, width, _ = _said(
            str(inner["check"]), kind, topology, root, witness.members(inner["evidence"])
        )
        claim = (
            f"{size} bytes take at least {float(value):.6g} µs: by distance, or by {name} at "
            f"{float(width):g} GB/s after the least number of steps"
        )
        return time_metric(size), f"time@{size}", value, claim
    name, value, why = _width(check, kind, topology, root, evidence)
    return BANDWIDTH, name, value, f"no schedule exceeds {float(value):g} GB/s: {why}"


def _width(
    check: str, kind: Kind, topology: Topology, root: int, evidence: Mapping[str, Json]
) -> tuple[str, Fraction, str]:
    """Name, value in GB/s and words of a witness on bandwidth."""
    if check == witness.CUT:
        value = witness.cut(kind, topology, root, evidence)
        ranks = evidence["ranks"]
        assert isinstance(ranks, list | tuple)
        side = frozenset(int(str(rank)) for rank in ranks)
        amount = witness.demand(kind, topology.ranks, root, side)
        why = f"{_much(amount)} must leave {_shown(side)} over {float(value * amount):g} GB/s"
        return "cut", value, why
    if check == witness.TRAFFIC:
        value = witness.traffic(kind, topology, root, evidence)
        parts = evidence["parts"]
        assert isinstance(parts, list | tuple)
        calls = 2 * len(parts) - 2
        why = (
            f"every piece takes {calls} transfers or more between {len(parts)} parts, which have "
            f"{float(value * calls):g} GB/s"
        )
        return "traffic", value, why
    if check == witness.METRIC:
        value = witness.metric(kind, topology, root, evidence)
        why = f"{_LENGTHS[str(evidence['lengths'])]}, by the shortest ways, are more than there is"
        return "metric", value, why
    raise ValueError(f"no witness is called {check!r}")


def _much(amount: Fraction) -> str:
    if amount == 1:
        return "the whole buffer"
    return f"{amount} of the buffer" if amount < 1 else f"{amount} times the buffer"


def _shown(ranks: Iterable[int]) -> str:
    listed = sorted(ranks)
    if len(listed) == 1:
        return f"rank {listed[0]}"
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    return f"ranks {', '.join(map(str, listed[:12]))}{more}"

"""What a schedule costs: the alpha-beta model with contention, in exact rational arithmetic.

A step takes as long as the slowest of

- every link that is used: alpha + bytes / bandwidth, with all that the link carries in the step;
- every shared resource (NIC, switch port): the greatest alpha of the links that use it in the
  step + bytes / bandwidth, with all that passes it in the step.

Steps follow one another; their times add up. Times are in µs, bandwidths in GB/s, so that
1 GB/s is 1000 bytes a µs. The size is that of the whole buffer (docs/formats/schedule.md), and
a chunk is size / pieces bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd, lcm

import numpy as np

from certune.core import InvalidInput, Metric
from certune.tasks.collective.schedule import Int, Schedule
from certune.tasks.collective.topology import Topology

LATENCY = Metric("latency", "µs", "lower")
BANDWIDTH = Metric("bandwidth", "GB/s", "higher")

BYTES_PER_MICROSECOND = 1000  # at 1 GB/s


def time_metric(size: int) -> Metric:
    """The metric of the time for a buffer of `size` bytes."""
    return Metric(f"time@{size}", "µs", "lower")


def unit_bandwidth(topology: Topology) -> Fraction:
    """The greatest bandwidth of which that of every link is a multiple: what one round carries."""
    numerator, denominator = 0, 1
    for bandwidth in {link.bandwidth for link in topology.links}:
        both = lcm(denominator, bandwidth.denominator)
        numerator = gcd(
            numerator * (both // denominator),
            bandwidth.numerator * (both // bandwidth.denominator),
        )
        denominator = both
    return Fraction(numerator, denominator)


@dataclass(frozen=True)
class Term:
    """A link or resource in a step: its alpha (µs), bandwidth (GB/s) and the chunks it carries."""

    alpha: Fraction
    bandwidth: Fraction
    chunks: int


@dataclass(frozen=True, eq=False)
class Profile:
    """All that the cost of a schedule depends on, for every size.

    `terms` are the different terms; in row i, step `step[i]` has the term `term[i]`. Rows are
    ordered by step, and every step has one.
    """

    pieces: int
    unit: Fraction
    terms: tuple[Term, ...]
    step: Int
    term: Int

    def _sum(self, values: Sequence[Fraction]) -> Fraction:
        """The sum over the steps of the greatest value among a step's terms."""
        distinct = sorted(set(values))
        number = {value: index for index, value in enumerate(distinct)}
        ranked = np.array([number[value] for value in values], dtype=np.int64)[self.term]
        starts = np.flatnonzero(np.diff(self.step, prepend=-1))
        counts = np.bincount(np.maximum.reduceat(ranked, starts), minlength=len(distinct))
        pairs = zip(distinct, counts.tolist(), strict=True)
        return sum((value * count for value, count in pairs), Fraction(0))

    def time(self, size: int | Fraction) -> Fraction:
        """The time in µs for a buffer of `size` bytes."""
        scale = Fraction(size) / (self.pieces * BYTES_PER_MICROSECOND)
        return self._sum([x.alpha + x.chunks * scale / x.bandwidth for x in self.terms])

    @property
    def latency(self) -> Fraction:
        """The time in µs for an empty buffer."""
        return self._sum([x.alpha for x in self.terms])

    @property
    def bandwidth(self) -> Fraction:
        """Algorithm bandwidth: size / time in GB/s, in the limit of endless size."""
        return self.pieces / self._sum([x.chunks / x.bandwidth for x in self.terms])

    @property
    def rounds(self) -> int:
        """Rounds, as SCCL counts them: a link of k units of bandwidth carries k chunks a round."""
        needed = [ceil(x.chunks * self.unit / x.bandwidth) for x in self.terms]
        return int(self._sum([Fraction(count) for count in needed]))


def profile(schedule: Schedule, topology: Topology) -> Profile:
    """The loads of every step on links and resources; about a second for 2 million sends.

    Raises:
        InvalidInput: the schedule uses a link that the topology does not have, or differs from
            it in the number of ranks.
    """
    if schedule.collective.ranks != topology.ranks:
        raise InvalidInput(
            f"the schedule has {schedule.collective.ranks} ranks, not {topology.ranks}",
            place="ranks",
        )
    link = topology.link_index(schedule.source, schedule.destination)
    if not len(link) or (link < 0).any():
        raise InvalidInput(
            f"the schedule uses links that {topology.name} does not have, or none",
            place="schedule",
            remedy="ask certune.tasks.collective.dataflow.links_exist which",
        )
    alphas = sorted({x.alpha for x in topology.links})
    bandwidths = sorted({x.bandwidth for x in topology.links} | set(topology.resources.values()))
    alpha = _numbered((x.alpha for x in topology.links), alphas)
    bandwidth = _numbered((x.bandwidth for x in topology.links), bandwidths)

    used, count = np.unique(schedule.step * len(topology.links) + link, return_counts=True)
    step, link = np.divmod(used, len(topology.links))
    chunks = count.astype(np.int64)
    rows = np.stack((step, alpha[link], bandwidth[link], chunks))
    if any(x.via for x in topology.links):
        user, resource = _users(topology, link)
        at, slowest, which, total = _shared(step[user], alpha[link[user]], resource, chunks[user])
        width = _numbered(topology.resources.values(), bandwidths)
        rows = np.concatenate((rows, np.stack((at, slowest, width[which], total))), axis=1)

    # Of terms that differ only in what they carry, the largest of a step decides.
    rows = rows[:, np.lexsort((rows[3], rows[2], rows[1], rows[0]))]
    last = np.append((np.diff(rows[:3]) != 0).any(axis=0), True)
    rows = rows[:, last]
    distinct, term = np.unique(rows[1:], axis=1, return_inverse=True)
    return Profile(
        schedule.collective.pieces,
        unit_bandwidth(topology),
        tuple(Term(alphas[a], bandwidths[b], n) for a, b, n in distinct.T.tolist()),
        rows[0],
        term.reshape(-1).astype(np.int64),
    )


def _numbered(values: Iterable[Fraction], known: Sequence[Fraction]) -> Int:
    number = {value: index for index, value in enumerate(known)}
    return np.array([number[value] for value in values], dtype=np.int64)


def _users(topology: Topology, link: Int) -> tuple[Int, Int]:
    """For the links given by index: pairs of a position in `link` and a resource that it takes."""
    number = {name: index for index, name in enumerate(topology.resources)}
    taken = np.array([number[name] for x in topology.links for name in x.via], dtype=np.int64)
    counts = np.array([len(x.via) for x in topology.links], dtype=np.int64)
    first = (np.cumsum(counts) - counts)[link]
    counts = counts[link]
    user = np.repeat(np.arange(len(link), dtype=np.int64), counts)
    within = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
    return user, taken[first[user] + within]


def _shared(step: Int, alpha: Int, resource: Int, chunks: Int) -> tuple[Int, Int, Int, Int]:
    """By step and resource: the greatest alpha and the sum of the chunks."""
    order = np.lexsort((resource, step))
    step, alpha, resource, chunks = step[order], alpha[order], resource[order], chunks[order]
    new = np.append(True, (np.diff(step) != 0) | (np.diff(resource) != 0))
    starts = np.flatnonzero(new[: len(step)])
    if not len(starts):
        return step, alpha, resource, chunks
    slowest = np.maximum.reduceat(alpha, starts)
    return step[starts], slowest, resource[starts], np.add.reduceat(chunks, starts)


def latency(schedule: Schedule, topology: Topology) -> Fraction:
    """The time in µs for an empty buffer: the sum over steps of the greatest alpha in use."""
    return profile(schedule, topology).latency


def bandwidth(schedule: Schedule, topology: Topology) -> Fraction:
    """Algorithm bandwidth in GB/s: size / time in the limit of endless size."""
    return profile(schedule, topology).bandwidth


def time(schedule: Schedule, topology: Topology, size: int | Fraction) -> Fraction:
    """The time in µs for a buffer of `size` bytes."""
    return profile(schedule, topology).time(size)


def rounds(schedule: Schedule, topology: Topology) -> int:
    """Rounds as SCCL counts them (`Profile.rounds`)."""
    return profile(schedule, topology).rounds

"""Topologies: ranks, directed links with latency and bandwidth, and what links share.

The file format ``certune-topology/1`` is described in docs/formats/topology.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import Any

import numpy as np
import numpy.typing as npt

from certune.core import InvalidInput, Json
from certune.core.canonical import digest, dumps, loads
from certune.core.codec import fraction
from certune.core.errors import nearest
from certune.tasks.collective.collective import MAX_RANKS

FORMAT = "certune-topology/1"
MAX_LINKS = 4_000_000
MAX_BYTES = 512 * 2**20
MAX_VIA = 16
MAX_NAME = 100
# Six decimals and a million on either side keep exact arithmetic on sums of costs small.
LARGEST = 1_000_000
# Sums of 1 / bandwidth have the common multiple as denominator; so that every cost and every
# ratio of two is written in less than the 4200 characters that the codec reads.
MAX_MULTIPLE_BITS = 3000

Int = npt.NDArray[np.int64]


def _quantity(value: Fraction, name: str, place: str, *, zero: bool) -> Fraction:
    if value < 0 or (value == 0 and not zero):
        raise InvalidInput(
            f"{name} is {str(value)[:40]}",
            place=place,
            remedy="it must not be negative" if zero else "it must be positive",
        )
    if value > LARGEST or value.denominator > LARGEST:
        raise InvalidInput(
            f"{name} {str(value)[:40]} is out of range",
            place=place,
            remedy=f"give at most {LARGEST}, with at most six decimals",
        )
    return value


def _word(name: str, place: str) -> None:
    # Names are shown in terminals and reports; lone surrogates have no canonical form.
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInput(
            f"the name {ascii(name)[:60]} cannot be used",
            place=place,
            remedy=f"give 1 to {MAX_NAME} printable characters",
        )


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
    """Ranks 0 … `ranks` - 1, at most one link for each ordered pair, shared resources in GB/s.

    Every rank reaches every other one.

    Raises:
        InvalidInput: a number out of range, a pair linked twice, a rank linked to itself, an
            unknown resource, a rank that cannot be reached.
    """

    name: str
    ranks: int
    links: tuple[Link, ...]
    resources: Mapping[str, Fraction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 2 <= self.ranks <= MAX_RANKS:
            raise InvalidInput(
                f"{self.ranks} ranks", place="ranks", remedy=f"give 2 to {MAX_RANKS}"
            )
        if len(self.links) > MAX_LINKS:
            raise InvalidInput(
                f"{len(self.links)} links", place="links", remedy=f"the limit is {MAX_LINKS}"
            )
        _word(self.name, "name")
        for name, bandwidth in self.resources.items():
            _word(name, "resources")
            _quantity(bandwidth, "bandwidth", f"resources.{name}", zero=False)
        pairs: set[tuple[int, int]] = set()
        for index, link in enumerate(self.links):
            problem = self._problem(link, pairs)
            if problem:
                raise InvalidInput(problem[0], place=f"links[{index}]", remedy=problem[1])
            pairs.add((link.source, link.destination))
        for quantity in {(link.alpha, link.bandwidth) for link in self.links}:
            _quantity(quantity[0], "alpha", "links", zero=True)
            _quantity(quantity[1], "bandwidth", "links", zero=False)
        self._even()
        self._reach()

    def _even(self) -> None:
        """Refuse numbers so different that exact sums of their inverses are too long."""
        bandwidths = {link.bandwidth for link in self.links} | set(self.resources.values())
        parts = {x.numerator for x in bandwidths} | {x.denominator for x in bandwidths}
        multiple = 1
        for part in sorted(parts | {link.alpha.denominator for link in self.links}):
            multiple = lcm(multiple, part)
            if multiple.bit_length() > MAX_MULTIPLE_BITS:
                raise InvalidInput(
                    f"{len(bandwidths)} different bandwidths, too many to be added up exactly",
                    place="links",
                    remedy="give them with fewer digits",
                )

    def _problem(self, link: Link, pairs: set[tuple[int, int]]) -> tuple[str, str] | None:
        for rank in (link.source, link.destination):
            if not 0 <= rank < self.ranks:
                return f"rank {rank} is out of range", f"give 0 to {self.ranks - 1}"
        if link.source == link.destination:
            return f"rank {link.source} is linked to itself", "remove this link"
        if (link.source, link.destination) in pairs:
            what = f"a link from rank {link.source} to rank {link.destination} is given twice"
            return what, "give parallel links as one, with a count"
        if len(link.via) > MAX_VIA:
            return f"the link takes {len(link.via)} resources", f"the limit is {MAX_VIA}"
        if len(set(link.via)) != len(link.via):
            return "the link takes one resource twice", "name each once"
        for name in link.via:
            if name not in self.resources:
                return f"unknown resource {name[:60]!r}", nearest(name[:60], self.resources)
        return None

    def _reach(self) -> None:
        """Refuse a topology in which some rank cannot reach some other one."""
        for forward in (True, False):
            following: list[list[int]] = [[] for _ in range(self.ranks)]
            for link in self.links:
                pair = (link.source, link.destination)
                start, end = pair if forward else pair[::-1]
                following[start].append(end)
            reached = {0}
            front = [0]
            while front:
                front = [y for x in front for y in following[x] if y not in reached]
                front = list(dict.fromkeys(front))
                reached.update(front)
            if len(reached) < self.ranks:
                lost = min(set(range(self.ranks)) - reached)
                source, destination = (0, lost) if forward else (lost, 0)
                raise InvalidInput(
                    f"rank {destination} cannot be reached from rank {source}",
                    place="links",
                    remedy="add a link",
                )

    @cached_property
    def digest(self) -> str:
        """Digest of the canonical file of this topology."""
        return digest(_data(self))

    @cached_property
    def _keys(self) -> tuple[Int, Int]:
        """Sorted ``source * ranks + destination`` of every link, and the links' indices."""
        keys = np.array([x.source * self.ranks + x.destination for x in self.links], dtype=np.int64)
        order = np.argsort(keys)
        return keys[order], order.astype(np.int64)

    def link_index(self, source: Int, destination: Int) -> Int:
        """Indices into `links` of the links of these pairs, elementwise; -1 where there is none."""
        keys, order = self._keys
        wanted = source * self.ranks + destination
        position = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[position] == wanted, order[position], np.int64(-1))

    @cached_property
    def _pairs(self) -> dict[tuple[int, int], Link]:
        return {(link.source, link.destination): link for link in self.links}

    def find(self, source: int, destination: int) -> Link | None:
        """The link from `source` to `destination`, or None."""
        return self._pairs.get((source, destination))

    @cached_property
    def outgoing(self) -> tuple[tuple[Link, ...], ...]:
        """The links that leave each rank, by destination."""
        lists: list[list[Link]] = [[] for _ in range(self.ranks)]
        for link in sorted(self.links, key=lambda x: (x.source, x.destination)):
            lists[link.source].append(link)
        return tuple(map(tuple, lists))

    @cached_property
    def incoming(self) -> tuple[tuple[Link, ...], ...]:
        """The links that reach each rank, by source."""
        lists: list[list[Link]] = [[] for _ in range(self.ranks)]
        for link in sorted(self.links, key=lambda x: (x.source, x.destination)):
            lists[link.destination].append(link)
        return tuple(map(tuple, lists))

    def reversed(self) -> Topology:
        """The topology with every link turned round, its resources in the opposite order."""
        links = tuple(
            Link(x.destination, x.source, x.alpha, x.bandwidth, x.via[::-1]) for x in self.links
        )
        return Topology(self.name, self.ranks, links, self.resources)


# A link as the file has it; `from` cannot be a field's name, hence no dataclass for the codec.
_LINK_MEMBERS = ("from", "to", "between", "alpha", "bandwidth", "count", "via")
_MEMBERS = ("format", "name", "ranks", "resources", "links")


def _object(value: Json, known: Iterable[str], place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput("expected an object", place=place)
    for key in value:
        if key not in known:
            raise InvalidInput(
                f"unknown member {key[:60]!r}", place=place, remedy=nearest(key[:60], known)
            )
    return value


def _get(members: Mapping[str, Any], name: str, kind: type, place: str) -> Any:
    where = f"{place}.{name}" if place else name
    if name not in members:
        raise InvalidInput(f"member {name!r} is missing", place=place or "file")
    if type(members[name]) is not kind:
        names = {int: "an integer", str: "a string", list: "an array"}
        raise InvalidInput(f"expected {names[kind]}", place=where)
    return members[name]


def _number(members: Mapping[str, Any], name: str, place: str, *, zero: bool) -> Fraction:
    if name not in members:
        raise InvalidInput(f"member {name!r} is missing", place=place)
    where = f"{place}.{name}"
    return _quantity(fraction(members[name], where), name, where, zero=zero)


def _links(value: Json, place: str) -> list[Link]:
    members = _object(value, _LINK_MEMBERS, place)
    between = "between" in members
    if between == ("from" in members or "to" in members):
        raise InvalidInput(
            "the ends of the link are not clear",
            place=place,
            remedy='give "from" and "to" for one direction, or "between": [a, b] for both',
        )
    if between:
        ends = _get(members, "between", list, place)
        if len(ends) != 2 or any(type(end) is not int for end in ends):
            raise InvalidInput(
                "expected two ranks", place=f"{place}.between", remedy="write [0, 1]"
            )
    else:
        ends = [_get(members, name, int, place) for name in ("from", "to")]
    alpha = _number(members, "alpha", place, zero=True)
    bandwidth = _number(members, "bandwidth", place, zero=False)
    if "count" in members:
        count = _get(members, "count", int, place)
        if not 1 <= count <= LARGEST:
            where = f"{place}.count"
            raise InvalidInput(f"count is {count}", place=where, remedy=f"give 1 to {LARGEST}")
        bandwidth = _quantity(bandwidth * count, "bandwidth times count", place, zero=False)
    via = _get(members, "via", list, place) if "via" in members else []
    if any(type(name) is not str for name in via):
        raise InvalidInput("expected the names of resources", place=f"{place}.via")
    links = [Link(ends[0], ends[1], alpha, bandwidth, tuple(via))]
    if between:
        # What is taken on the way there is taken in the opposite order on the way back.
        links.append(Link(ends[1], ends[0], alpha, bandwidth, tuple(via[::-1])))
    return links


def _topology(data: bytes) -> Topology:
    members = _object(loads(data, limit=MAX_BYTES), _MEMBERS, "file")
    if members.get("format") != FORMAT:
        raise InvalidInput("unknown format", place="format", remedy=f"write {FORMAT!r}")
    ranks = _get(members, "ranks", int, "")
    resources: dict[str, Fraction] = {}
    if "resources" in members:
        given = members["resources"]
        if not isinstance(given, dict):
            raise InvalidInput("expected an object", place="resources")
        for name in given:
            _word(name, "resources")
            at = f"resources.{name}"
            resources[name] = _quantity(fraction(given[name], at), "bandwidth", at, zero=False)
    listed = _get(members, "links", list, "")
    if len(listed) > MAX_LINKS:
        raise InvalidInput(
            f"{len(listed)} links", place="links", remedy=f"the limit is {MAX_LINKS}"
        )
    links: list[Link] = []
    where: list[int] = []
    for index, value in enumerate(listed):
        found = _links(value, f"links[{index}]")
        links += found
        where += [index] * len(found)
    try:
        return Topology(_get(members, "name", str, ""), ranks, tuple(links), resources)
    except InvalidInput as error:
        # An index into the links is not one into the file, where `between` stands for two.
        if error.place.startswith("links["):
            place = f"links[{where[int(error.place[6:-1])]}]"
            raise InvalidInput(error.message, place=place, remedy=error.remedy) from None
        raise


def parse_topology(data: bytes, place: str = "") -> Topology:
    """Read a topology file; `place` (the file's name) begins the place of an error.

    Raises:
        InvalidInput: what is wrong, at which member, and what to do.
    """
    try:
        return _topology(data)
    except InvalidInput as error:
        raise (error.within(place) if place else error) from None


def _data(topology: Topology) -> Json:
    links: list[Json] = []
    for link in sorted(topology.links, key=lambda x: (x.source, x.destination)):
        entry: dict[str, Json] = {
            "from": link.source,
            "to": link.destination,
            "alpha": str(link.alpha),
            "bandwidth": str(link.bandwidth),
        }
        if link.via:
            entry["via"] = list(link.via)
        links.append(entry)
    return {
        "format": FORMAT,
        "name": topology.name,
        "ranks": topology.ranks,
        "resources": {name: str(value) for name, value in topology.resources.items()},
        "links": links,
    }


def dump_topology(topology: Topology) -> bytes:
    """The canonical file of a topology: every direction on its own, ordered by its ends."""
    return dumps(_data(topology))

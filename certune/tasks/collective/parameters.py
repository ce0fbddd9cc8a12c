"""The parameters of collective tasks: from what users give to what specifications hold."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

from certune.core.canonical import Json, dumps, loads
from certune.core.codec import decode, encode
from certune.core.errors import InvalidInput, nearest
from certune.core.family import Parameter
from certune.core.spec import Goal, Improve, ImproveEach, Point
from certune.tasks.collective.baselines import BASELINES
from certune.tasks.collective.collective import ROOTED, Kind
from certune.tasks.collective.cost import BANDWIDTH, LATENCY, time_metric
from certune.tasks.collective.library import LIBRARY, build
from certune.tasks.collective.targets import TARGETS
from certune.tasks.collective.topology import MAX_BYTES, Topology, dump_topology, parse_topology

Objective: TypeAlias = Literal["latency", "bandwidth", "time", "frontier"]

AUTO = "auto"
MAX_SIZE = 2**50
MAX_SIZES = 32
FRONTIER = "1KiB,32KiB,1MiB,32MiB,1GiB"

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_UNITS |= {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Named:
    """A topology of the library, with all its parameters."""

    library: str
    parameters: Mapping[str, str]
    kind: Literal["library"] = "library"


@dataclass(frozen=True)
class Inline:
    """A topology given whole, in the form of its file format."""

    topology: Mapping[str, Json]
    kind: Literal["inline"] = "inline"


@dataclass(frozen=True)
class Parameters:
    """What a collective specification holds.

    `sizes` are bytes of the whole buffer (what nccl-tests reports); one for the objective
    `time`, several for `frontier`, none for the others. `targets` are the runtimes whose files
    must be written; empty stands for all that can be.
    """

    topology: Named | Inline
    objective: Objective
    sizes: tuple[int, ...] = ()
    root: int | None = None
    baseline: str = AUTO
    targets: tuple[str, ...] = field(default=())

    def build_topology(self) -> Topology:
        """The topology itself."""
        if isinstance(self.topology, Named):
            return build(self.topology.library, self.topology.parameters)
        return parse_topology(dumps(self.topology.topology), "topology")

    @property
    def goal(self) -> Goal:
        """The goal that the objective stands for."""
        if self.objective == "latency":
            return Improve(LATENCY)
        if self.objective == "bandwidth":
            return Improve(BANDWIDTH)
        if self.objective == "time":
            return Improve(time_metric(self.sizes[0]))
        return ImproveEach(tuple(Point(time_metric(size)) for size in self.sizes))


def size_bytes(text: str, place: str) -> int:
    """A size such as 64MiB, 1GB or 4096 in bytes. K, M, G and T alone are powers of 1024."""
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]{0,3})", text.strip())
    units = {unit.lower(): factor for unit, factor in _UNITS.items()}
    if not found or found[2].lower() not in units:
        raise InvalidInput(f"{text[:40]!r} is no size", place=place, remedy="as in 64MiB or 4096")
    size = Fraction(found[1]) * units[found[2].lower()]
    if size.denominator != 1 or not 1 <= size <= MAX_SIZE:
        raise InvalidInput(
            f"{text[:40]!r} is not between 1 byte and 1 PiB in whole bytes", place=place
        )
    return int(size)


_TOPOLOGY_HELP = "a topology of the library (certune topology), or a file of your own"

PARAMETERS = (
    Parameter("topology", _TOPOLOGY_HELP, None, tuple(sorted(LIBRARY))),
    Parameter(
        "objective",
        "latency (time of an empty message), bandwidth (of an endless one), time (at `size`) or "
        "frontier (time over `sizes`)",
        "bandwidth",
        ("latency", "bandwidth", "time", "frontier"),
    ),
    Parameter("size", "bytes of the whole buffer, for the objective time", "64MiB"),
    Parameter("sizes", "sizes for the objective frontier, joined by commas", FRONTIER),
    Parameter("baseline", "what is to be beaten first", AUTO, (AUTO, *BASELINES)),
    Parameter(
        "targets",
        "runtimes whose files must be written, joined by commas, or none; auto: those that can",
        AUTO,
        (AUTO, "none", *TARGETS),
    ),
)
ROOT = Parameter("root", "the root's rank", "0")


def task_parameters(kind: Kind) -> tuple[Parameter, ...]:
    """The parameters of the task of this kind, before those of the topology."""
    return (*PARAMETERS, ROOT) if kind in ROOTED else PARAMETERS


def _choice(values: dict[str, str], parameter: Parameter) -> str:
    value = values.pop(parameter.name, parameter.default or "")
    if value not in parameter.choices:
        raise InvalidInput(
            f"{value[:40]!r} is not offered",
            place=parameter.name,
            remedy=nearest(value[:40], parameter.choices),
        )
    return value


def _topology(values: dict[str, str], known: frozenset[str]) -> tuple[Named | Inline, Topology]:
    name = values.pop("topology", None)
    if name is None:
        raise InvalidInput(
            "no topology is given", remedy="add -p topology=dgx1, or the path of a file"
        )
    if name in LIBRARY or not ("/" in name or name.endswith(".json")):
        entry = LIBRARY.get(name)
        if entry is not None:
            offered = known | {parameter.name for parameter in entry.parameters}
            for key in values:
                if key not in offered:
                    raise InvalidInput(
                        f"unknown parameter {key[:60]!r}", remedy=nearest(key[:60], offered)
                    )
        topology = build(name, values)
        own = {p.name: values.get(p.name, p.default or "") for p in LIBRARY[name].parameters}
        return Named(name, own), topology
    data = _read(name)
    for key in values:
        raise InvalidInput(f"unknown parameter {key[:60]!r}", remedy=nearest(key[:60], known))
    topology = parse_topology(data, name)
    inline = loads(dump_topology(topology))
    assert isinstance(inline, Mapping)
    return Inline(inline), topology


def _read(name: str) -> bytes:
    try:
        # Not to wait for a pipe's other end, nor to read a device that never ends.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidInput("not a regular file", place=name)
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(f"cannot be read: {reason}", place=name) from None
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"larger than {MAX_BYTES} bytes", place=name)
    return data


def read_parameters(kind: Kind, given: Mapping[str, str]) -> tuple[Parameters, Topology]:
    """What a user gave as ``-p name=value``, as parameters of a specification.

    Raises:
        InvalidInput: an unknown parameter or a value that cannot be used.
    """
    values = dict(given)
    by_name = {parameter.name: parameter for parameter in task_parameters(kind)}
    objective = _choice(values, by_name["objective"])
    baseline = _choice(values, by_name["baseline"])
    size = values.pop("size", None)
    sizes = values.pop("sizes", None)
    if size is not None and objective != "time":
        raise InvalidInput(
            "size is for the objective time", place="size", remedy="add -p objective=time"
        )
    if sizes is not None and objective != "frontier":
        raise InvalidInput(
            "sizes are for the objective frontier",
            place="sizes",
            remedy="add -p objective=frontier",
        )
    wanted: tuple[int, ...] = ()
    if objective == "time":
        wanted = (size_bytes(size or "64MiB", "size"),)
    elif objective == "frontier":
        parts = [part for part in (sizes or FRONTIER).split(",") if part]
        wanted = tuple(sorted({size_bytes(part, "sizes") for part in parts}))
        if not 2 <= len(wanted) <= MAX_SIZES:
            raise InvalidInput(
                f"{len(wanted)} different sizes", place="sizes", remedy=f"give 2 to {MAX_SIZES}"
            )
    given_targets = values.pop("targets", AUTO)
    targets = tuple(part for part in given_targets.split(",") if part and part != AUTO)
    for target in targets:
        if target not in (*TARGETS, "none"):
            raise InvalidInput(
                f"unknown target {target[:40]!r}", place="targets", remedy=nearest(target, TARGETS)
            )
    if "none" in targets and set(targets) != {"none"}:
        raise InvalidInput("none and others", place="targets", remedy="give none or the others")
    root: int | None = None
    if kind in ROOTED:
        text = values.pop("root", "0")
        if not re.fullmatch(r"\d{1,9}", text):
            raise InvalidInput(f"{text[:40]!r} is no rank", place="root")
        root = int(text)
    reference, topology = _topology(values, frozenset(by_name))
    if root is not None and root >= topology.ranks:
        raise InvalidInput(
            f"rank {root} is not there", place="root", remedy=f"give 0 to {topology.ranks - 1}"
        )
    return Parameters(reference, _objective(objective), wanted, root, baseline, targets), topology


def _objective(text: str) -> Objective:
    chosen: dict[str, Objective] = {
        "latency": "latency", "bandwidth": "bandwidth", "time": "time", "frontier": "frontier"
    }  # fmt: skip
    return chosen[text]


def to_data(parameters: Parameters) -> Mapping[str, Json]:
    """The parameters as the data that a specification holds."""
    data = encode(parameters)
    assert isinstance(data, Mapping)
    return data


def from_data(kind: Kind, data: Mapping[str, Json]) -> Parameters:
    """The parameters of a specification, checked anew.

    Raises:
        InvalidInput: they are not ones that `read_parameters` could have made.
    """
    parameters = decode(Parameters, dict(data), "parameters")
    sizes = len(parameters.sizes)
    wanted = {"time": sizes == 1, "frontier": 2 <= sizes <= MAX_SIZES}
    if not wanted.get(parameters.objective, sizes == 0):
        raise InvalidInput(
            f"{sizes} sizes do not suit the objective {parameters.objective}", place="sizes"
        )
    if any(not 1 <= size <= MAX_SIZE for size in parameters.sizes):
        raise InvalidInput("a size is out of range", place="sizes")
    if list(parameters.sizes) != sorted(set(parameters.sizes)):
        raise InvalidInput("sizes must be ascending and different", place="sizes")
    if (parameters.root is not None) != (kind in ROOTED):
        raise InvalidInput("a root is for rooted collectives, and needed there", place="root")
    if parameters.baseline not in (AUTO, *BASELINES):
        raise InvalidInput("unknown baseline", place="baseline")
    if any(target not in (*TARGETS, "none") for target in parameters.targets):
        raise InvalidInput("unknown target", place="targets")
    return parameters

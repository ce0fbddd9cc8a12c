"""What agents are told about a collective task: its meaning, its topology, its cost, in words
and tables, with the native format's schema narrowed to the task."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from certune.core import Json
from certune.tasks.collective.collective import OWNED, REDUCING, ROOTED, Kind
from certune.tasks.collective.parameters import Parameters
from certune.tasks.collective.schema import SCHEMA
from certune.tasks.collective.topology import Link, Topology

MOST_PIECES = 16  # for each rank, in the schema; a schedule may have more
MOST_LINKS = 1024  # in a table; a larger topology is summed up

_BEFORE: Mapping[Kind, str] = {
    "allgather": "chunk k is at its owner alone",
    "reduce-scatter": "every rank holds its own contribution to every chunk",
    "allreduce": "every rank holds its own contribution to every chunk",
    "broadcast": "every chunk is at the root, rank {root}, alone",
    "reduce": "every rank holds its own contribution to every chunk",
    "gather": "chunk k is at its owner alone",
    "scatter": "every chunk is at the root, rank {root}, alone",
    "alltoall": "rank r holds the chunks r*pieces to r*pieces + pieces - 1",
}
_AFTER: Mapping[Kind, str] = {
    "allgather": "every rank must hold every chunk",
    "reduce-scatter": "the owner of chunk k must hold the sum of all contributions to it, each "
    "exactly once",
    "allreduce": "every rank must hold the sum of all contributions to every chunk, each exactly "
    "once",
    "broadcast": "every rank must hold every chunk",
    "reduce": "the root, rank {root}, must hold the sum of all contributions to every chunk, each "
    "exactly once",
    "gather": "the root, rank {root}, must hold every chunk",
    "scatter": "the owner of chunk k must hold it",
    "alltoall": "chunk r*pieces + k must be at the owner of piece k, for every r",
}

REPAIRS: Mapping[str, str] = {
    "format": "Write plain JSON with all members that the schema requires; ranks, chunks and "
    "steps count from 0.",
    "links": "Send over links of the table only; go over a rank in between where two have no link, "
    "with the second hop in a later step.",
    "postcondition": "Let the rank that is named receive what it lacks, from a rank that holds it "
    "before that step; what arrives in a step can be sent on in the next at the earliest. For "
    "sums, no contribution may be added twice: copy a finished sum, add an unfinished one once.",
}

_ADVICE = {
    "latency": "Steps cost latency, bytes cost nothing: use as few steps as the distances allow, "
    "on the links with the least alpha.",
    "bandwidth": "Bytes cost, latency does not: let every link carry the same share of the data "
    "in every step, and move nothing twice over the links of the binding cut. More pieces make "
    "finer shares.",
    "time": "Both count: the alpha of every step, and the bytes of the busiest link of each.",
    "frontier": "Each size is judged on its own: small ones want few steps, large ones balanced "
    "links. One candidate may win at one size alone.",
}


def _number(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{float(value):g}"


def size_words(size: int) -> str:
    """A size in bytes for people: 64 MiB, 4096 bytes."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power and size % 1024**power == 0:
            return f"{size // 1024**power} {unit}"
    return f"{size} bytes"


def wanted(parameters: Parameters) -> str:
    """The objective in words."""
    if parameters.objective == "latency":
        return "the least time for an empty message"
    if parameters.objective == "bandwidth":
        return "the highest bandwidth for an endless message"
    sizes = [size_words(size) for size in parameters.sizes]
    if parameters.objective == "time":
        return f"the least time for {sizes[0]}"
    return f"the least time at each of {', '.join(sizes)}"


def meaning(kind: Kind, ranks: int, root: int) -> str:
    """What a schedule of this collective has to do."""
    chunks = "chunks 0 to ranks*pieces - 1" if kind == "alltoall" else "chunks 0 to pieces - 1"
    owner = f"The owner of piece k is rank k // (pieces / {ranks}); pieces is a multiple of {ranks}"
    free = "pieces may be any number from 1 on"
    owned = kind in OWNED
    return (
        f"The whole buffer is cut into `pieces` equal pieces ({chunks}); how many is yours to "
        f"choose. {owner if owned else free[:1].upper() + free[1:]}.\n"
        f"Before: {_BEFORE[kind].format(root=root)}. After: {_AFTER[kind].format(root=root)}.\n"
        "Steps are synchronous: every send of a step reads what its source held before the step. "
        "`copy` replaces what the destination holds of the chunk, `reduce` adds to it"
        + ("." if kind in REDUCING else " and is of no use here.")
    )


COST = (
    "Cost: a step takes as long as its slowest link or shared resource; steps add up. A link "
    "takes alpha + bytes / bandwidth, with all bytes that it carries in the step; a shared "
    "resource the greatest alpha of the links that use it + bytes / bandwidth, with all bytes "
    "that pass it. A chunk is size / pieces bytes. 1 GB/s is 1000 bytes a µs."
)


def links_table(topology: Topology) -> str:
    """The links, rank by rank; links with the same numbers together."""
    lines = [f"Links of {topology.name} ({topology.ranks} ranks), directed:"]
    if len(topology.links) > MOST_LINKS:
        return "\n".join([*lines, *_summary(topology)])
    for rank in range(topology.ranks):
        groups: dict[tuple[Fraction, Fraction, tuple[str, ...]], list[Link]] = {}
        for link in topology.links:
            if link.source == rank:
                groups.setdefault((link.alpha, link.bandwidth, link.via), []).append(link)
        told = []
        for (alpha, bandwidth, via), links in groups.items():
            targets = ",".join(str(link.destination) for link in links)
            through = f" through {'+'.join(via)}" if via else ""
            told.append(
                f"{targets} (alpha {_number(alpha)} µs, {_number(bandwidth)} GB/s{through})"
            )
        lines.append(f"{rank} -> {'; '.join(told)}")
    for name, bandwidth in topology.resources.items():
        lines.append(f"shared {name}: {_number(bandwidth)} GB/s")
    return "\n".join(lines)


def _summary(topology: Topology) -> list[str]:
    kinds: dict[tuple[Fraction, Fraction], int] = {}
    for link in topology.links:
        kinds[(link.alpha, link.bandwidth)] = kinds.get((link.alpha, link.bandwidth), 0) + 1
    lines = [
        f"{count} links of alpha {_number(alpha)} µs, {_number(bandwidth)} GB/s"
        for (alpha, bandwidth), count in kinds.items()
    ]
    lines.append(f"{len(topology.links)} links are too many to list; the first of rank 0 are:")
    first = [link for link in topology.links if link.source == 0][:32]
    lines.append(", ".join(f"0->{link.destination}" for link in first))
    return lines


def hints(kind: Kind, topology: Topology, root: int, parameters: Parameters) -> tuple[str, ...]:
    """The task in words and tables."""
    return (
        meaning(kind, topology.ranks, root) + "\n",
        COST + "\n",
        links_table(topology) + "\n",
        _ADVICE[parameters.objective],
    )


def schema(kind: Kind, ranks: int, root: int, pieces: int) -> Mapping[str, Json]:
    """The schema of the native format, narrowed to this collective.

    The numbers of pieces are enumerated, since servers ignore bounds and multiples; `pieces`,
    that of the example, is among them. Other numbers are judged as well.
    """
    properties: dict[str, Json] = dict(SCHEMA["properties"])  # type: ignore[arg-type]
    least = ranks if kind in OWNED else 1
    offered = sorted({pieces, *(least * count for count in range(1, MOST_PIECES + 1))})
    properties["pieces"] = {
        "enum": offered,
        "description": "equal pieces that the whole buffer is cut into",
    }
    properties["collective"] = {"const": kind}
    properties["ranks"] = {"const": ranks}
    required: list[Json] = ["format", "collective", "ranks", "pieces", "steps"]
    if kind in ROOTED:
        properties["root"] = {"const": root}
        required.insert(3, "root")
    else:
        del properties["root"]
    return {**SCHEMA, "properties": properties, "required": required}

"""Known algorithms as schedules: what everybody starts from.

Each algorithm is a way to spread a chunk from its source along a tree (`trees`). Allgather,
broadcast, scatter and alltoall follow the trees. Reduce-scatter, reduce and gather are allgather,
broadcast and scatter run backwards, with trees of the reversed topology: where every rank
received a chunk once, it now adds its sum once. Allreduce is reduce-scatter and allgather, or
reduce and broadcast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from certune.core import InvalidInput
from certune.core.errors import nearest
from certune.tasks.collective import trees
from certune.tasks.collective.collective import OWNED, REDUCING, Collective, Kind, reversed_kind
from certune.tasks.collective.dataflow import links_exist
from certune.tasks.collective.schedule import MAX_SENDS, Int, Schedule
from certune.tasks.collective.topology import Topology
from certune.tasks.collective.trees import Forest, Grow, Tree

BASELINES: Mapping[str, str] = {
    "ring": "along one cycle through all ranks over the widest links",
    "rings": "along as many cycles as the links can carry next to each other, as NCCL does",
    "tree": "along breadth-first trees, binary where the links allow",
    "recursive": "recursive halving and doubling between ranks that differ in one bit",
    "direct": "every pair over its own link",
    "routed": "every chunk along the fewest links; works on every topology",
}

_GROW: Mapping[str, Grow] = {
    "ring": trees.ring,
    "rings": trees.rings,
    "tree": trees.tree,
    "recursive": trees.recursive,
    "direct": trees.direct,
    "routed": trees.routed,
}

# Allreduce as reduce and broadcast of whole buffers; the others scatter and gather.
_WHOLE = frozenset(("tree", "routed"))

Columns = tuple[Int, Int, Int, Int]  # step, source, destination, chunk


def baseline(
    name: str, kind: Kind, topology: Topology, root: int = 0, pieces: int | None = None
) -> Schedule:
    """The schedule of a known algorithm, in as many pieces as suit it unless given.

    Raises:
        InvalidInput: an unknown name, or an algorithm that does not work on this topology.
    """
    grow = _GROW.get(name)
    if grow is None:
        raise InvalidInput(
            f"unknown baseline {name[:60]!r}", place="baseline", remedy=nearest(name, _GROW)
        )
    if kind != "allreduce":
        schedule = _single(grow, kind, topology, root, pieces)
    elif name in _WHOLE:
        forest = grow(topology)
        reduce = _single(grow, "reduce", topology, forest.root, pieces or 1)
        schedule = _then(
            reduce, _forward(forest, _of("broadcast", reduce, forest.root)), "allreduce"
        )
    else:
        scatter = _single(grow, "reduce-scatter", topology, 0, pieces)
        gather = _single(grow, "allgather", topology, 0, scatter.collective.pieces)
        schedule = _then(scatter, gather, "allreduce")
    missing = links_exist(schedule, topology)
    if missing is not None:
        raise InvalidInput(
            f"{name} does not work here: {missing.sentence}",
            place="baseline",
            remedy="take ring, tree or routed",
        )
    return schedule


def default_baseline(kind: Kind, topology: Topology, root: int = 0) -> tuple[str, Schedule]:
    """The name and schedule of the first of ring, direct, tree and routed that works here.

    Gather, scatter and alltoall, where a ring makes no sense, begin with direct. One of them
    works on every topology, unless the collective needs more sends than a schedule may have.

    Raises:
        InvalidInput: none of them stays within that limit.
    """
    whole = kind not in ("gather", "scatter", "alltoall")
    reason = InvalidInput("no baseline is known")
    for name in ("ring", "tree", "routed", "direct") if whole else ("direct", "routed"):
        try:
            return name, baseline(name, kind, topology, root)
        except InvalidInput as error:
            reason = error
    raise reason


def _single(grow: Grow, kind: Kind, topology: Topology, root: int, pieces: int | None) -> Schedule:
    backwards = kind in REDUCING or kind == "gather"
    forest = grow(topology.reversed() if backwards else topology)
    if pieces is None:
        pieces = forest.lanes * topology.ranks if forest.pipelined else 1
        if kind in OWNED and not forest.pipelined:
            pieces = topology.ranks
    collective = Collective(
        reversed_kind(kind) if backwards else kind, topology.ranks, pieces, root
    )
    schedule = _forward(forest, collective)
    return reversed_schedule(schedule) if backwards else schedule


def _of(kind: Kind, like: Schedule, root: int = 0) -> Collective:
    return Collective(kind, like.collective.ranks, like.collective.pieces, root)


def _forward(forest: Forest, collective: Collective) -> Schedule:
    parts: list[Columns] = []
    total = 0
    for part in _parts(forest, collective):
        parts.append(part)
        total += len(part[0])
        if total > MAX_SENDS:
            raise InvalidInput(
                f"the baseline takes more than {MAX_SENDS} sends",
                place="baseline",
                remedy="choose another one",
            )
    step, source, destination, chunk = (np.concatenate(x) for x in zip(*parts, strict=True))
    order = np.argsort(step, kind="stable")
    used, number = np.unique(step[order], return_inverse=True)
    return Schedule(
        collective,
        len(used),
        number.astype(np.int64),
        source[order],
        destination[order],
        chunk[order],
        np.zeros(len(step), dtype=np.bool_),
    ).normalised()


def _parts(forest: Forest, collective: Collective) -> Iterator[Columns]:
    ranks, pieces = collective.ranks, collective.pieces
    share = max(pieces // ranks, 1)
    if collective.kind == "broadcast":
        for lane in range(min(forest.lanes, pieces)):
            tree = forest.tree(collective.root, lane)
            chunks = np.arange(lane, pieces, forest.lanes, dtype=np.int64)
            yield _spread(tree, chunks, forest.pipelined)
    elif collective.kind == "allgather":
        for rank in range(ranks):
            for lane in range(min(forest.lanes, share)):
                chunks = rank * share + np.arange(lane, share, forest.lanes, dtype=np.int64)
                yield _spread(forest.tree(rank, lane), chunks, forest.pipelined)
    else:
        for rank in range(ranks) if collective.kind == "alltoall" else (collective.root,):
            first = rank * pieces if collective.kind == "alltoall" else 0
            for lane in range(min(forest.lanes, share)):
                within = np.arange(lane, share, forest.lanes, dtype=np.int64)
                yield from _paths(forest.tree(rank, lane), rank, first + within, share)


def _spread(tree: Tree, chunks: Int, pipelined: bool) -> Columns:
    """Send `chunks` along the whole tree."""
    ranks = np.flatnonzero(tree.parent >= 0).astype(np.int64)
    delay = np.arange(len(chunks), dtype=np.int64) * pipelined
    return (
        np.add.outer(delay, tree.step[ranks]).ravel(),
        np.tile(tree.parent[ranks], len(chunks)),
        np.tile(ranks, len(chunks)),
        np.repeat(chunks, len(ranks)),
    )


def _paths(tree: Tree, source: int, chunks: Int, share: int) -> Iterator[Columns]:
    """Send to every rank its own chunks: those given plus rank * `share`."""
    target = np.flatnonzero(tree.parent >= 0).astype(np.int64)
    here = target
    while len(here):
        yield (
            np.tile(tree.step[here], len(chunks)),
            np.tile(tree.parent[here], len(chunks)),
            np.tile(here, len(chunks)),
            np.add.outer(chunks, target * share).ravel(),
        )
        on = tree.parent[here] != source
        here, target = tree.parent[here[on]], target[on]


def reversed_schedule(schedule: Schedule) -> Schedule:
    """The schedule run backwards: it performs the reversed collective on the reversed topology.

    Right where the schedule is right, copies only, and brings no chunk twice to a rank nor to
    one that had it. Allreduce and alltoall cannot be reversed so.
    """
    collective = schedule.collective
    kind = reversed_kind(collective.kind)
    if kind == collective.kind or collective.reducing:
        raise InvalidInput(f"{collective.kind} is not reversed this way", place="collective")
    return Schedule(
        replace(collective, kind=kind),
        schedule.steps,
        schedule.steps - 1 - schedule.step[::-1],
        schedule.destination[::-1],
        schedule.source[::-1],
        schedule.chunk[::-1],
        np.full(schedule.sends, kind in REDUCING),
    ).normalised()


def _then(first: Schedule, second: Schedule, kind: Kind) -> Schedule:
    """Both, one after the other, as one schedule of `kind`."""
    return Schedule(
        _of(kind, first),
        first.steps + second.steps,
        np.concatenate((first.step, first.steps + second.step)),
        np.concatenate((first.source, second.source)),
        np.concatenate((first.destination, second.destination)),
        np.concatenate((first.chunk, second.chunk)),
        np.concatenate((first.reduce, second.reduce)),
    ).normalised()

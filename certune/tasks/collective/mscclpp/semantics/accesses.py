"""Every access to memory in columns, and which pairs of them conflict."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.mscclpp.plan import PACKET_OPERATIONS, SWITCHED
from certune.tasks.collective.mscclpp.semantics.graph import Graph, TooMuch
from certune.tasks.collective.mscclpp.semantics.program import Where

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

MAX_ACCESSES = 2**22
MAX_PAIRS = 2**24


@dataclass(frozen=True)
class Accesses:
    """One row an access of one location.

    location: as numbered by the space       write:   whether it writes
    packet:   whether it reads or writes a packet
    item:     number of the item in `items`  relative: unit from the operand's start
    lanes:    which thread handles a unit: 0 for 16-byte elements, 1 for packets, 2 for those of
              a switch, -1 - slot for a transfer of a port channel
    block, segment: where it is              start:   the node before it
    column, end: the point after which it is complete
    move:     number of the move            first:    not the second location of a packet
    """

    items: list[Where]
    location: Int
    write: Bool
    packet: Bool
    item: Int
    relative: Int
    lanes: Int
    block: Int
    segment: Int
    start: Int
    column: Int
    end: Int
    move: Int
    first: Bool

    def __len__(self) -> int:
        return len(self.location)


def collect(graph: Graph) -> Accesses:
    """The accesses of one launch.

    Raises:
        TooMuch: more than MAX_ACCESSES.
    """
    program = graph.program
    items: list[Where] = []
    of_move: list[tuple[int, ...]] = []  # item, lanes, block, segment, start, column, end
    of_region: list[tuple[int, ...]] = []  # location, units, whether packets, whether written, move
    total = 0
    for block, listed in enumerate(program.items):
        begins = graph.segments[block].begins
        for number, item in enumerate(listed):
            if not item.moves:
                continue
            name = program.operation(item.where).name
            items.append(item.where)
            here = len(items) - 1
            for move in item.moves:
                if move.slot < 0:
                    lanes = 1 if name in PACKET_OPERATIONS else 2 if name in SWITCHED else 0
                    start = graph.boundary[block, begins[number]]
                    column, end = block, begins[number] + 2
                else:
                    lanes = -1 - move.slot
                    start = graph.slot[block, number, move.slot]
                    column = graph.port_columns.get((block, move.channel), 0)
                    end = graph.covered(block, number, move.slot, move.channel)
                of_move.append((here, lanes, block, begins[number], start, column, end))
                for regions, write in ((move.sources, 0), (move.destinations, 1)):
                    for region in regions:
                        total += 2 * move.units if region.packet else move.units
                        of_region.append(
                            (region.start, move.units, region.packet, write, len(of_move))
                        )
                if total > MAX_ACCESSES:
                    raise TooMuch(f"more than {MAX_ACCESSES} accesses")
    return _accesses(items, _columns(of_move, 7), _columns(of_region, 5))


def _columns(rows: list[tuple[int, ...]], width: int) -> Int:
    flat = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=width * len(rows))
    return flat.reshape(-1, width).T


def _accesses(items: list[Where], of_move: Int, of_region: Int) -> Accesses:
    """One row an access, from one column a move and one a region."""
    location, units, packet, write, move = of_region
    per = packet + 1
    count = units * per
    region = np.repeat(np.arange(len(count)), count)
    inside = np.arange(len(region)) - np.repeat(np.cumsum(count) - count, count)
    item, lanes, block, segment, start, column, end = of_move[:, move[region] - 1]
    return Accesses(
        items=items,
        location=location[region] + inside,
        write=write[region] > 0,
        packet=packet[region] > 0,
        item=item,
        relative=inside // per[region],
        lanes=lanes,
        block=block,
        segment=segment,
        start=start,
        column=column,
        end=end,
        move=move[region],
        first=inside % per[region] == 0,
    )


def pairs(accesses: Accesses, chosen: Int, *, ordered: bool) -> tuple[Int, Int]:
    """Pairs of `chosen` accesses of one location of which at least one writes.

    Each pair once with x before y in the list; with `ordered` both ways, and each with itself.

    Raises:
        TooMuch: more than MAX_PAIRS.
    """
    order = chosen[np.argsort(accesses.location[chosen], kind="stable")]
    location = accesses.location[order]
    first = np.flatnonzero(np.r_[True, location[1:] != location[:-1]]) if order.size else order
    count = np.diff(np.r_[first, order.size])
    written = (
        np.add.reduceat(accesses.write[order].astype(np.int64), first) if order.size else first
    )
    first, count = first[written > 0], count[written > 0]
    if int((count * count).sum()) > 2 * MAX_PAIRS:
        raise TooMuch(f"more than {MAX_PAIRS} pairs of accesses of the same locations")
    left: list[Int] = []
    right: list[Int] = []
    for size in np.unique(count):
        groups = first[count == size]
        if ordered:
            a, b = (x.ravel() for x in np.meshgrid(np.arange(size), np.arange(size)))
        else:
            a, b = np.triu_indices(int(size), 1)
        left.append((groups[:, None] + a[None, :]).ravel())
        right.append((groups[:, None] + b[None, :]).ravel())
    if not left:
        return order[:0], order[:0]
    x, y = order[np.concatenate(left)], order[np.concatenate(right)]
    conflict = accesses.write[x] | accesses.write[y]
    return x[conflict], y[conflict]

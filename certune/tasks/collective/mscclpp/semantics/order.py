"""Which conflicting accesses nothing orders: within a launch, at its ends, across launches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.mscclpp.semantics.accesses import Accesses, pairs
from certune.tasks.collective.mscclpp.semantics.causality import Causality
from certune.tasks.collective.mscclpp.semantics.clocks import Clocks

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Violations:
    """Indices of accesses, or of pairs of them, that nothing orders.

    races:   conflicting pairs within one launch
    early:   accesses of a caller's buffer that may come before its owner has started
    late:    accesses of a caller's buffer that may go on after its owner has ended
    reused:  pairs in scratch of which the first may not be over when the second comes, `gap`
             launches later
    """

    races: tuple[Int, Int]
    early: Int
    late: Int
    reused: tuple[Int, Int]


@dataclass(frozen=True)
class _Question:
    """Accesses and the nodes before which they must be over, or columns and their values."""

    node: Int
    column: Int
    value: Int
    visible: Bool


def _threaded(a: Accesses, x: Int, y: Int) -> Bool:
    """Pairs that one thread handles, one after the other."""
    near = (a.block[x] == a.block[y]) & (a.segment[x] == a.segment[y])
    lane = (a.lanes[x] == a.lanes[y]) & (a.lanes[x] >= 0)
    same: Bool = near & lane & (a.relative[x] == a.relative[y])
    return same


def _flagged(a: Accesses, x: Int, y: Int) -> Bool:
    """A packet that is written and one that is read, when its flag is there."""
    both = a.packet[x] & a.packet[y] & (a.write[x] != a.write[y])
    flagged: Bool = both & (a.item[x] != a.item[y])
    return flagged


def _before(a: Accesses, x: Int, node: Int) -> _Question:
    """Whether accesses `x` are over, and writes among them visible, at nodes."""
    return _Question(node, a.column[x], a.end[x], a.write[x])


def _rivals(clocks: Clocks, causality: Causality, a: Accesses, contested: Int) -> tuple[Int, Int]:
    """Reads of contested packets with the writers that they may meet, where these are several."""
    x, y = pairs(a, np.flatnonzero(np.isin(a.location, contested)), ordered=False)
    flagged = np.flatnonzero(_flagged(a, x, y) & ~_threaded(a, x, y))
    x, y = x[flagged], y[flagged]
    read, write = np.where(a.write[x], y, x), np.where(a.write[x], x, y)
    open_ = ~causality.before(read, write)
    for one, other in ((read, write), (write, read)):
        asked = _before(a, one, a.start[other])
        open_ &= ~clocks.ask(asked.node, asked.column, asked.value, asked.visible)
    read, write = read[open_], write[open_]
    _, inverse, count = np.unique(read, return_inverse=True, return_counts=True)
    several = count[inverse] > 1 if len(read) else open_[:0]
    return read[several], write[several]


def violations(
    clocks: Clocks, a: Accesses, owner: Int, outside: Bool, gap: int, contested: Int
) -> Violations:
    """What nothing orders; `owner` and `outside` (the caller's memory, not scratch) by access.

    Scratch is used again `gap` launches later. `contested` are packets with several writers.

    Raises:
        TooMuch: more pairs of accesses than are looked at.
    """
    graph = clocks.graph
    ranks = np.array([rank for rank, _ in graph.program.owners], dtype=np.int64)[a.block]
    started = np.array([graph.rank_column(r) for r in range(len(graph.ends))], dtype=np.int64)
    ends = np.array(graph.ends, dtype=np.int64)

    def begun(rank: Int, node: Int, launches: int) -> Bool:
        """Whether the rank has begun its launch that is `launches` after the first."""
        value = np.full(len(node), launches + 1, dtype=np.int64)
        return clocks.ask(node, started[rank], value, value == 0)

    x, y = pairs(a, np.arange(len(a)), ordered=False)
    apart = np.flatnonzero(~(_threaded(a, x, y) | _flagged(a, x, y)))
    x, y = x[apart], y[apart]
    u, v = pairs(a, np.flatnonzero(~outside), ordered=True)
    # A later read of a packet waits for the flag of its own launch.
    apart = np.flatnonzero(~(a.packet[u] & a.packet[v] & a.write[u] & ~a.write[v]))
    u, v = u[apart], v[apart]
    # A rank's own work is over, and seen by all, when it has begun its next launch.
    after = a.start[v] + gap * clocks.size
    open_ = ~(begun(ranks[u], after, 1) & (a.lanes[u] >= 0))
    u, v, after = u[open_], v[open_], after[open_]
    chosen = np.flatnonzero(outside)
    early = chosen[~begun(owner[chosen], a.start[chosen], 0)]
    # It is over before its own rank's end, too.
    late = chosen[(a.lanes[chosen] < 0) | (ranks[chosen] != owner[chosen])]
    # Nodes are numbered in an order that respects the edges: of two accesses only that with the
    # earlier start can be over when the other begins.
    earlier = a.start[x] < a.start[y]
    first, last = np.where(earlier, x, y), np.where(earlier, y, x)
    questions = [
        _before(a, first, a.start[last]),
        _before(a, u, after),
        _before(a, late, ends[owner[late]]),
    ]
    answers = clocks.ask(
        np.concatenate([q.node for q in questions]),
        np.concatenate([q.column for q in questions]),
        np.concatenate([q.value for q in questions]),
        np.concatenate([q.visible for q in questions]),
    )
    parts = np.split(answers, np.cumsum([len(q.node) for q in questions])[:-1])
    open_ = ~parts[0]
    x, y = x[open_], y[open_]
    u, v = u[~parts[1]], v[~parts[1]]
    if (x.size or u.size or contested.size) and a.packet.any():
        causality = Causality(clocks, a)
        open_ = ~(causality.before(x, y) | causality.before(y, x))
        x, y = x[open_], y[open_]
        open_ = ~causality.before(u, v, gap)
        u, v = u[open_], v[open_]
        if contested.size:
            found = _rivals(clocks, causality, a, contested)
            x, y = np.concatenate([x, found[0]]), np.concatenate([y, found[1]])
    return Violations((x, y), early, late[~parts[2]], (u, v))

"""Which conflicting accesses nothing orders: within a launch, at its ends, across launches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.mscclpp.semantics.accesses import Accesses, pairs
from certune.tasks.collective.mscclpp.semantics.causality import Causality
from certune.tasks.collective.mscclpp.semantics.clocks import Clocks

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Order:
    """Questions about the order of accesses within a launch and across launches."""

    clocks: Clocks
    accesses: Accesses

    @cached_property
    def causality(self) -> Causality:
        """What packets tell; looked at only where the clocks leave something open."""
        return Causality(self.clocks, self.accesses)

    def before(self, x: Int, node: Int) -> Bool:
        """Whether accesses `x` are complete, and what they wrote visible, before `node`."""
        a = self.accesses
        return self.clocks.ask(node, a.column[x], a.end[x], a.write[x])

    def unordered(self) -> tuple[Int, Int]:
        """Conflicting pairs within one launch that nothing orders."""
        a = self.accesses
        x, y = pairs(a, np.arange(len(a)), ordered=False)
        # The same thread handles both, one after the other.
        together = (a.block[x] == a.block[y]) & (a.segment[x] == a.segment[y])
        threaded = (a.lanes[x] == a.lanes[y]) & (a.lanes[x] >= 0)
        same = together & threaded & (a.relative[x] == a.relative[y])
        # A packet is read when its flag is there.
        flagged = a.packet[x] & a.packet[y] & (a.write[x] != a.write[y]) & (a.item[x] != a.item[y])
        open_ = np.flatnonzero(~(same | flagged))
        x, y = x[open_], y[open_]
        ordered = self.before(x, a.start[y])
        x, y = x[~ordered], y[~ordered]
        ordered = self.before(y, a.start[x])
        x, y = x[~ordered], y[~ordered]
        if x.size and a.packet.any():
            ordered = self.causality.before(x, y) | self.causality.before(y, x)
            x, y = x[~ordered], y[~ordered]
        return x, y

    def across(self, scratch: Bool, launches: int) -> tuple[Int, Int]:
        """Pairs in scratch of which the first, of one launch, is not before the second's start
        `launches` launches later."""
        a = self.accesses
        x, y = pairs(a, np.flatnonzero(scratch), ordered=True)
        # A later read waits for the flag of its own launch.
        open_ = np.flatnonzero(~(a.packet[x] & a.packet[y] & a.write[x] & ~a.write[y]))
        x, y = x[open_], y[open_]
        late = ~self.before(x, a.start[y] + launches * self.clocks.size)
        x, y = x[late], y[late]
        if x.size and a.packet.any():
            late = ~self.causality.before(x, y, launches)
            x, y = x[late], y[late]
        return x, y

    def entered(self, owner: Int, outside: Bool) -> Int:
        """Accesses of caller's buffers that may come before the owner's kernel has started."""
        a = self.accesses
        chosen = np.flatnonzero(outside)
        graph = self.clocks.graph
        columns = np.array(
            [graph.rank_column(rank) for rank in range(graph.program.plan.ranks)], dtype=np.int64
        )
        seen = self.clocks.ask(
            a.start[chosen],
            columns[owner[chosen]],
            np.ones(len(chosen), dtype=np.int64),
            np.zeros(len(chosen), dtype=np.bool_),
        )
        return chosen[~seen]

    def left(self, owner: Int, outside: Bool) -> Int:
        """Accesses of caller's buffers that may go on after the owner's kernel has ended."""
        chosen = np.flatnonzero(outside)
        ends = np.array(self.clocks.graph.ends, dtype=np.int64)
        return chosen[~self.before(chosen, ends[owner[chosen]])]

"""Vector clocks over several launches of one graph, and questions to them.

Three clocks answer three questions about a point x of a column and a later node y: *any*, whether
x has happened; *strong*, whether what was done before x is visible at y; *performed*, whether it
was visible to everybody at the end of some kernel that came before y, so that passing of time is
enough from there on. Memory is bounded by working on some columns at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.mscclpp.semantics.graph import UNCOVERED, Graph, TooMuch

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Clock = npt.NDArray[np.int16 | np.int32]
_Table = Callable[[npt.NDArray[np.int64], int], Clock]

MAX_CELLS = 2**26  # nodes times columns held at once, twice
MAX_WORK = 2**33  # nodes times columns in all


@dataclass(frozen=True)
class _Level:
    """Nodes whose edges all come from lower levels, with their edges in one column."""

    nodes: Int
    anything: Int
    starts: Int
    strong: Int
    strong_starts: Int
    strong_nodes: Int


class Clocks:
    """The clocks of `launches` launches of `graph`."""

    def __init__(self, graph: Graph, launches: int) -> None:
        self.graph = graph
        self.launches = launches
        self.size = len(graph.edges)
        self.nodes = self.size * launches
        self._strides = np.array([graph.stride(c) for c in range(graph.columns)], dtype=np.int64)
        short = int(self._strides.max(initial=0)) * launches < 2**15
        self._type: type[np.int16 | np.int32] = np.int16 if short else np.int32
        self._layers: dict[int, list[_Level]] = {}
        self._ends = np.array(graph.ends, dtype=np.int64)
        self._marks = self._all_marks()

    def _levels(self, launches: int) -> list[_Level]:
        """The nodes of the first `launches` launches by level."""
        if launches not in self._layers:
            self._layers[launches] = self._build_levels(launches)
        return self._layers[launches]

    def _build_levels(self, launches: int) -> list[_Level]:
        graph, size = self.graph, self.size
        owners = graph.program.owners
        starts = {graph.boundary[block, 0]: owners[block][0] for block in range(len(owners))}
        nodes = size * launches
        level = [0] * nodes
        grouped: dict[int, list[int]] = {}
        edges: list[list[tuple[int, bool]]] = []
        for node in range(nodes):
            launch, inside = divmod(node, size)
            here = [(launch * size + earlier, strong) for earlier, strong in graph.edges[inside]]
            if launch and inside in starts:
                here.append(((launch - 1) * size + graph.ends[starts[inside]], True))
            edges.append(here)
            level[node] = 1 + max((level[earlier] for earlier, _ in here), default=-1)
            if here:
                grouped.setdefault(level[node], []).append(node)
        layers = []
        for number in sorted(grouped):
            anything: list[int] = []
            begins: list[int] = []
            strong: list[int] = []
            strong_begins: list[int] = []
            strong_nodes: list[int] = []
            for node in grouped[number]:
                begins.append(len(anything))
                anything += [earlier for earlier, _ in edges[node]]
                firm = [earlier for earlier, is_strong in edges[node] if is_strong]
                if firm:
                    strong_begins.append(len(strong))
                    strong += firm
                    strong_nodes.append(node)
            rows = (grouped[number], anything, begins, strong, strong_begins, strong_nodes)
            layers.append(_Level(*(np.array(row, dtype=np.int64) for row in rows)))
        return layers

    def _all_marks(self) -> Int:
        """Node, column and value of what the nodes of a launch add themselves."""
        graph = self.graph
        rows = [(inside, *own) for inside, own in enumerate(graph.own) if own]
        for block, (rank, _) in enumerate(graph.program.owners):
            rows.append((graph.boundary[block, 0], graph.rank_column(rank), 1))
        return np.array(rows, dtype=np.int64).reshape(-1, 3).T

    def _marked(self, columns: Int, launches: int) -> Clock:
        """A table of nodes by `columns` (sorted) with nothing but the nodes' own marks."""
        table = np.zeros((self.size * launches, len(columns)), dtype=self._type)
        node, column, value = self._marks
        at = np.searchsorted(columns, column)
        chosen = np.flatnonzero(columns[np.minimum(at, len(columns) - 1)] == column)
        node, column, value, at = node[chosen], column[chosen], value[chosen], at[chosen]
        for launch in range(launches):
            table[node + launch * self.size, at] = value + launch * self._strides[column]
        return table

    def _strong(self, columns: Int, launches: int) -> Clock:
        table = self._marked(columns, launches)
        for level in self._levels(launches):
            if level.strong_nodes.size:
                rows = np.maximum.reduceat(table[level.strong], level.strong_starts, axis=0)
                table[level.strong_nodes] = np.maximum(table[level.strong_nodes], rows)
        return table

    def _anything(self, columns: Int, launches: int) -> Clock:
        table = self._marked(columns, launches)
        for level in self._levels(launches):
            rows = np.maximum.reduceat(table[level.anything], level.starts, axis=0)
            table[level.nodes] = np.maximum(table[level.nodes], rows)
        return table

    def _performed(self, columns: Int, launches: int) -> Clock:
        strong = self._strong(columns, launches)
        table = np.zeros_like(strong)
        ends = np.zeros(len(table), dtype=np.bool_)
        for launch in range(launches):
            ends[self._ends + launch * self.size] = True
        for level in self._levels(launches):
            table[level.nodes] = np.maximum.reduceat(table[level.anything], level.starts, axis=0)
            here = level.nodes[ends[level.nodes]]
            table[here] = np.maximum(table[here], strong[here])
        return table

    def _reached(self, table: _Table, node: Int, column: Int, value: Int) -> Bool:
        """Elementwise whether the clock of `node` is at `value` or beyond."""
        answer = np.zeros(len(node), dtype=np.bool_)
        if not len(node):
            return answer
        launches = int(node.max()) // self.size + 1
        asked = np.unique(column)
        work = self.size * launches * len(asked)
        if work > MAX_WORK:
            raise TooMuch(f"{self.size * launches} points in {len(asked)} sequences")
        width = max(1, MAX_CELLS // (self.size * launches))
        for first in range(0, len(asked), width):
            columns = asked[first : first + width]
            chosen = np.flatnonzero((column >= columns[0]) & (column <= columns[-1]))
            clock = table(columns, launches)
            at = np.searchsorted(columns, column[chosen])
            answer[chosen] = clock[node[chosen], at] >= value[chosen]
        return answer

    def ask(self, node: Int, column: Int, value: Int, visible: Bool) -> Bool:
        """Elementwise: has the point `value` of `column` happened before `node`?

        Where `visible`, what was written before that point must be visible at the node. What is
        strongly before is so in every sense; the weaker clocks are only made for what is not.

        Raises:
            TooMuch: the clocks would take too long.
        """
        answer = np.zeros(len(node), dtype=np.bool_)
        left = np.flatnonzero(value < UNCOVERED)
        for table, wanted in (
            (self._strong, None),
            (self._anything, False),
            (self._performed, True),
        ):
            part = left if wanted is None else left[visible[left] == wanted]
            part = part[~answer[part]]
            answer[part] = self._reached(table, node[part], column[part], value[part])
        return answer

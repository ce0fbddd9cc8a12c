"""Vector clocks over several launches of one graph, and questions to them.

Three clocks answer three questions about a point x of a column and a later node y: *any*, whether
x has happened; *strong*, whether what was done before x is visible at y; *performed*, whether it
was visible to everybody at the end of some kernel that came before y, so that passing of time is
enough from there on. Memory is bounded by working on some columns at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.mscclpp.semantics.graph import UNCOVERED, Graph

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Clock = npt.NDArray[np.int16 | np.int32]

MAX_CELLS = 2**26  # nodes times columns held at once, three times


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
        self._levels = self._layers()
        self._ends = np.array(graph.ends, dtype=np.int64)

    def _layers(self) -> list[_Level]:
        graph, size = self.graph, self.size
        owners = graph.program.owners
        starts = {graph.boundary[block, 0]: owners[block][0] for block in range(len(owners))}
        level = [0] * self.nodes
        grouped: dict[int, list[int]] = {}
        edges: list[list[tuple[int, bool]]] = []
        for node in range(self.nodes):
            launch, inside = divmod(node, size)
            here = [(launch * size + earlier, strong) for earlier, strong in graph.edges[inside]]
            if launch and inside in starts:
                here.append(((launch - 1) * size + graph.ends[starts[inside]], True))
            edges.append(here)
            level[node] = 1 + max((level[earlier] for earlier, _ in here), default=-1)
            grouped.setdefault(level[node], []).append(node)
        layers = []
        for number in range(len(grouped)):
            nodes = [node for node in grouped[number] if edges[node]]
            if not nodes:
                continue
            anything: list[int] = []
            begins: list[int] = []
            strong: list[int] = []
            strong_begins: list[int] = []
            strong_nodes: list[int] = []
            for node in nodes:
                begins.append(len(anything))
                anything += [earlier for earlier, _ in edges[node]]
                firm = [earlier for earlier, is_strong in edges[node] if is_strong]
                if firm:
                    strong_begins.append(len(strong))
                    strong += firm
                    strong_nodes.append(node)
            layers.append(
                _Level(
                    *(
                        np.array(x, dtype=np.int64)
                        for x in (nodes, anything, begins, strong, strong_begins, strong_nodes)
                    )
                )
            )
        return layers

    def _marks(self, low: int, high: int) -> tuple[Int, Int, Int]:
        """Node, column (from `low`) and value of what nodes add themselves."""
        graph = self.graph
        rows: list[tuple[int, int, int]] = []
        for inside, own in enumerate(graph.own):
            if own and low <= own[0] < high:
                rows.append((inside, *own))
        for block, (rank, _) in enumerate(graph.program.owners):
            column = graph.rank_column(rank)
            if low <= column < high:
                rows.append((graph.boundary[block, 0], column, 1))
        if not rows:
            empty = np.zeros(0, dtype=np.int64)
            return empty, empty, empty
        marks = np.tile(np.array(rows, dtype=np.int64).T, self.launches)
        launch = np.repeat(np.arange(self.launches), len(rows))
        return (
            marks[0] + launch * self.size,
            marks[1] - low,
            marks[2] + launch * self._strides[marks[1]],
        )

    def _tables(self, low: int, high: int) -> tuple[Clock, Clock, Clock]:
        shape = (self.nodes, high - low)
        anything, strong, performed = (np.zeros(shape, dtype=self._type) for _ in range(3))
        node, column, value = self._marks(low, high)
        anything[node, column] = value
        strong[node, column] = value
        ends = np.zeros(self.nodes, dtype=np.bool_)
        for launch in range(self.launches):
            ends[self._ends + launch * self.size] = True
        for level in self._levels:
            for table in (anything, performed):
                rows = np.maximum.reduceat(table[level.anything], level.starts, axis=0)
                table[level.nodes] = np.maximum(table[level.nodes], rows)
            if level.strong_nodes.size:
                rows = np.maximum.reduceat(strong[level.strong], level.strong_starts, axis=0)
                strong[level.strong_nodes] = np.maximum(strong[level.strong_nodes], rows)
            here = level.nodes[ends[level.nodes]]
            performed[here] = np.maximum(performed[here], strong[here])
        return anything, strong, performed

    def ask(self, node: Int, column: Int, value: Int, visible: Bool) -> Bool:
        """Elementwise: has the point `value` of `column` happened before `node`?

        Where `visible`, what was written before that point must be visible at the node.
        """
        answer = np.zeros(len(node), dtype=np.bool_)
        width = max(1, MAX_CELLS // max(self.nodes, 1))
        for low in range(0, self.graph.columns, width):
            high = min(low + width, self.graph.columns)
            chosen = np.flatnonzero((column >= low) & (column < high) & (value < UNCOVERED))
            if not chosen.size:
                continue
            anything, strong, performed = self._tables(low, high)
            at, of, wanted = node[chosen], column[chosen] - low, value[chosen]
            seen = anything[at, of] >= wanted
            shown = (strong[at, of] >= wanted) | (performed[at, of] >= wanted)
            answer[chosen] = np.where(visible[chosen], shown, seen)
        return answer

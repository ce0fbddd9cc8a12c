"""Vector clocks over several launches of one graph, and questions to them.

Three clocks answer three questions about a point x of a column and a later node y: *any*, whether
x has happened; *strong*, whether what was done before x is visible at y; *performed*, whether it
was visible to everybody at the end of some kernel that came before y, so that passing of time is
enough from there on. Memory is bounded by working on some columns at a time.

Most nodes only follow the one before them in their block. Their clock is that of the node where
the block last heard of others, but for the block's own column; only those nodes have a *row*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.mscclpp.semantics.graph import UNCOVERED, Graph, TooMuch

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Clock = npt.NDArray[np.int16 | np.int32]
MAX_CELLS = 2**26  # rows times columns held at once, twice
MAX_COLUMNS = 512  # held at once: those that come up at about the same time
MAX_WORK = 2**33  # rows times columns in all


@dataclass(frozen=True)
class _Window:
    """Part of the levels: from `low` in the first launch to level `last` of launch `launches` - 1.

    What is asked of has no trace before, and nobody asks after.
    """

    low: int
    launches: int
    last: int

    def levels(self, launch: int, levels: Sequence[tuple[int, _Pair]]) -> Iterator[_Pair]:
        """The levels of a launch that lie within."""
        for number, pair in levels:
            if launch + 1 == self.launches and number > self.last:
                return
            if launch or number >= self.low:
                yield pair


_Table = Callable[[Int, _Window], Clock]


@dataclass(frozen=True)
class _Edges:
    """Edges into the rows of one level, ordered by row.

    rows:   the rows, each once        begins: where the edges of each begin
    source: the row that an edge comes from
    at, column, value: (row, column) pairs, each once, and the value that a source's block adds
    """

    rows: Int
    begins: Int
    source: Int
    at: Int
    column: Int
    value: Int


_Pair = tuple[_Edges, _Edges]  # all, and the strong ones


def _edges(listed: Sequence[tuple[int, int, int, int]]) -> _Edges:
    """From tuples (row, source row, column, value)."""
    table = np.array(listed, dtype=np.int64).reshape(-1, 4)
    table = table[np.argsort(table[:, 0], kind="stable")]
    rows, begins = np.unique(table[:, 0], return_index=True)
    added = table[table[:, 2] >= 0]
    added = added[np.lexsort((added[:, 3], added[:, 2], added[:, 0]))]
    last = np.ones(len(added), dtype=np.bool_)
    last[:-1] = np.any(added[1:, (0, 2)] != added[:-1, (0, 2)], axis=1)
    added = added[last]
    return _Edges(
        rows, begins, table[:, 1].copy(), added[:, 0].copy(), added[:, 2].copy(), added[:, 3].copy()
    )


class Clocks:
    """The clocks of `launches` launches of `graph`."""

    def __init__(self, graph: Graph, launches: int) -> None:
        self.graph = graph
        self.launches = launches
        self.size = len(graph.edges)
        self.nodes = self.size * launches
        self._strides = np.array(graph.strides(), dtype=np.int64)
        short = int(self._strides.max(initial=0)) * launches < 2**15
        self._type: type[np.int16 | np.int32] = np.int16 if short else np.int32
        self._contract()

    def _contract(self) -> None:
        """Give rows to nodes, and edges to rows by level."""
        graph = self.graph
        owners = graph.program.owners
        starts = {graph.boundary[block, 0]: owners[block][0] for block in range(len(owners))}
        ends = set(graph.ends)
        row: list[int] = []  # of each node, or of the node that it follows
        column: list[int] = []  # the column that a node adds to its row, and its value
        value: list[int] = []
        marks: list[tuple[int, int, int]] = []  # row, column, value
        level: list[int] = []  # of each row
        anything: dict[int, list[tuple[int, int, int, int]]] = {}
        strong: dict[int, list[tuple[int, int, int, int]]] = {}
        blocks = len(owners)
        # For each boundary of a block the level from which on it can be heard of.
        first_of = np.cumsum([0] + [places.boundaries for places in graph.segments])
        born = [0] * int(first_of[-1])
        offsets = first_of.tolist()
        for node, (edges, own) in enumerate(zip(graph.edges, graph.own, strict=True)):
            if len(edges) == 1 and node not in ends:
                before, firm = edges[0]
                if firm and (own is None or own[0] == column[before] < blocks):
                    row.append(row[before])
                    column.append(column[before])
                    value.append(value[before] if own is None else own[1])
                    if own is not None:
                        born[offsets[own[0]] + own[1] - 1] = level[row[before]]
                    continue
            here = len(level)
            row.append(here)
            level.append(1 + max([level[row[before]] for before, _ in edges], default=-1))
            if edges:
                listed = [(here, row[x], column[x], value[x], firm) for x, firm in edges]
                anything.setdefault(level[here], []).extend(x[:4] for x in listed)
                strong.setdefault(level[here], []).extend(x[:4] for x in listed if x[4])
            if own is not None:
                marks.append((here, *own))
            if node in starts:
                marks.append((here, graph.rank_column(starts[node]), 1))
            # What follows a row in its block adds to the block's own column.
            if own is not None and own[0] < blocks:
                column.append(own[0])
                value.append(own[1])
                born[offsets[own[0]] + own[1] - 1] = level[here]
            else:
                column.append(-1)
                value.append(0)
        self._row = np.array(row, dtype=np.int64)
        self._column = np.array(column, dtype=np.int64)
        self._value = np.array(value, dtype=np.int64)
        self._rows = len(level)
        self._marks = np.array(marks, dtype=np.int64).reshape(-1, 3).T
        self._levels = [
            (number, (_edges(anything[number]), _edges(strong.get(number, []))))
            for number in sorted(anything)
        ]
        self._level = np.array(level, dtype=np.int64)
        self._born = np.array(born, dtype=np.int64)
        self._first_of = first_of
        # Where the launches of a rank follow each other.
        first = np.array(sorted(starts), dtype=np.int64)
        self._first = self._row[first]
        self._ends = self._row[np.array(graph.ends, dtype=np.int64)]
        self._last = self._ends[np.array([starts[node] for node in first.tolist()], dtype=np.int64)]

    def _marked(self, columns: Int, launches: int) -> Clock:
        """A table of rows by `columns` (sorted) with nothing but the rows' own marks."""
        table = np.zeros((self._rows * launches, len(columns)), dtype=self._type)
        row, column, value = self._marks
        at = np.searchsorted(columns, column)
        chosen = np.flatnonzero(columns[np.minimum(at, len(columns) - 1)] == column)
        row, column, value, at = row[chosen], column[chosen], value[chosen], at[chosen]
        for launch in range(launches):
            table[row + launch * self._rows, at] = value + launch * self._strides[column]
        return table

    def _spread(self, columns: Int, window: _Window, *, firm: bool) -> Clock:
        """The clock along strong edges (`firm`) or along all."""
        table = self._marked(columns, window.launches)
        place = np.full(len(self._strides), -1, dtype=np.int64)
        place[columns] = np.arange(len(columns))
        for launch in range(window.launches):
            base = launch * self._rows
            if launch:
                rows = self._first + base
                before = self._last + base - self._rows
                table[rows] = np.maximum(table[rows], table[before])
            for pair in window.levels(launch, self._levels):
                edges = pair[firm]
                if not edges.rows.size:
                    continue
                rows = edges.rows + base
                if edges.source.size > rows.size:
                    found = np.maximum.reduceat(table[edges.source + base], edges.begins, axis=0)
                else:
                    found = table[edges.source + base]
                table[rows] = np.maximum(table[rows], found)
                at = place[edges.column]
                if at.size and int(at.max()) >= 0:
                    known = at >= 0
                    rows, at = edges.at[known] + base, at[known]
                    value = edges.value[known] + launch * self._strides[edges.column[known]]
                    table[rows, at] = np.maximum(table[rows, at], value)
        return table

    def _strong(self, columns: Int, window: _Window) -> Clock:
        return self._spread(columns, window, firm=True)

    def _anything(self, columns: Int, window: _Window) -> Clock:
        return self._spread(columns, window, firm=False)

    def _performed(self, columns: Int, window: _Window) -> Clock:
        strong = self._strong(columns, window)
        table = np.zeros_like(strong)
        ends = np.zeros(self._rows, dtype=np.bool_)
        ends[self._ends] = True
        for launch in range(window.launches):
            base = launch * self._rows
            if launch:
                table[self._first + base] = table[self._last + base - self._rows]
            for edges, _ in window.levels(launch, self._levels):
                rows = edges.rows + base
                table[rows] = np.maximum.reduceat(table[edges.source + base], edges.begins, axis=0)
                here = rows[ends[edges.rows]]
                table[here] = np.maximum(table[here], strong[here])
        return table

    def _reached(self, table: _Table, node: Int, column: Int, value: Int) -> Bool:
        """Elementwise whether the clock of `node` is at `value` or beyond."""
        answer = np.zeros(len(node), dtype=np.bool_)
        if not len(node):
            return answer
        launch, inside = np.divmod(node, self.size)
        launches = int(launch.max()) + 1
        row = self._row[inside] + launch * self._rows
        asked, which = np.unique(column, return_inverse=True)
        rows = self._rows * launches
        if rows * len(asked) > MAX_WORK:
            raise TooMuch(f"{self.size * launches} points in {len(asked)} sequences")
        low = self._heard(column, value)
        earliest = np.full(len(asked), np.iinfo(np.int64).max)
        np.minimum.at(earliest, which, low)
        width = min(max(1, MAX_CELLS // rows), MAX_COLUMNS)
        batch = np.empty(len(asked), dtype=np.int64)
        batch[np.argsort(earliest, kind="stable")] = np.arange(len(asked)) // width
        batch = batch[which]
        for number in range(int(batch.max()) + 1):
            chosen = np.flatnonzero(batch == number)
            columns = np.unique(column[chosen])
            most = int(launch[chosen].max())
            latest = self._level[self._row[inside[chosen[launch[chosen] == most]]]]
            window = _Window(int(low[chosen].min()), most + 1, int(latest.max()))
            clock = table(columns, window)
            at = np.searchsorted(columns, column[chosen])
            answer[chosen] = clock[row[chosen], at] >= value[chosen]
        return answer

    def _heard(self, column: Int, value: Int) -> Int:
        """Elementwise the level before which no row of the first launch has heard of a point."""
        low = np.zeros(len(column), dtype=np.int64)
        block = np.flatnonzero(column < len(self._first_of) - 1)
        boundary = np.clip(value[block], 1, self._strides[column[block]])
        low[block] = self._born[self._first_of[column[block]] + boundary - 1]
        return low

    def _own(self, node: Int, column: Int, value: Int) -> Bool:
        """Elementwise whether `node` is at or after a point of its own block."""
        launch, inside = np.divmod(node, self.size)
        own = self._value[inside] + launch * self._strides[np.maximum(self._column[inside], 0)]
        reached: Bool = (self._column[inside] == column) & (own >= value)
        return reached

    def ask(self, node: Int, column: Int, value: Int, visible: Bool) -> Bool:
        """Elementwise: has the point `value` of `column` happened before `node`?

        Where `visible`, what was written before that point must be visible at the node. What is
        strongly before is so in every sense; the weaker clocks are only made for what is not.

        Raises:
            TooMuch: the clocks would take too long.
        """
        answer = self._own(node, column, value)
        left = np.flatnonzero((value < UNCOVERED) & ~answer)
        for table, wanted in (
            (self._strong, None),
            (self._anything, False),
            (self._performed, True),
        ):
            part = left if wanted is None else left[visible[left] == wanted]
            part = part[~answer[part]]
            answer[part] = self._reached(table, node[part], column[part], value[part])
        return answer

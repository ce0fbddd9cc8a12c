"""What the data of packets tells: a packet that holds a sum was written after its terms were read.

A packet is read unit by unit, each unit when its flag is there. Whoever holds it knows that its
writer had read all that the unit was made of, and that in turn those packets had been written,
and so on. A thread that has read a packet knows so in what it does after, too; of its own earlier
reads it is not certain that they are over. This orders reads (not writes, which may still be on
their way) finer than the points where threads meet: it is what all-reduce by packets rests on
when results go where the inputs were.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.mscclpp.semantics.accesses import Accesses
from certune.tasks.collective.mscclpp.semantics.clocks import Clocks
from certune.tasks.collective.mscclpp.semantics.graph import TooMuch

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Unit = tuple[int, int]  # number of a move, unit within it

MAX_QUESTIONS = 2**21
_PACKETS = 1  # the lanes of packets


class Causality:
    """The units of the moves that read or write packets, and who learns of whom."""

    def __init__(self, clocks: Clocks, accesses: Accesses) -> None:
        self._clocks = clocks
        self._accesses = accesses
        a = accesses
        written: dict[int, list[Unit]] = defaultdict(list)
        read: dict[int, list[Unit]] = defaultdict(list)
        # Both locations of a packet have the same readers and writers; the first is enough.
        for row in np.flatnonzero(a.packet & a.first).tolist():
            unit = (int(a.move[row]), int(a.relative[row]))
            (written if a.write[row] else read)[int(a.location[row])].append(unit)
        self._from: dict[Unit, list[Unit]] = defaultdict(list)
        self._to: dict[Unit, list[Unit]] = defaultdict(list)
        # Of several writers any may be met, as in the graph.
        for location, writers in written.items():
            for reader in read[location]:
                self._from[reader] += writers
                for writer in writers:
                    self._to[writer].append(reader)
        # Units that one thread handles one after the other between two meetings.
        self._earlier: dict[Unit, Unit] = {}
        self._later: dict[Unit, Unit] = {}
        latest: dict[tuple[int, int, int], Unit] = {}
        rows = np.flatnonzero(a.lanes == _PACKETS)
        columns = (a.move[rows], a.relative[rows], a.block[rows], a.segment[rows])
        for move, relative, block, segment in zip(*(c.tolist() for c in columns), strict=True):
            unit = (move, relative)
            before = latest.get((block, segment, relative), unit)
            if before != unit:
                self._earlier[unit], self._later[before] = before, unit
            latest[block, segment, relative] = unit
        # Where each move is: all its accesses have the same block, segment and start.
        order = np.unique(a.move, return_index=True)[1] if len(a) else np.zeros(0, dtype=np.int64)
        self._place = {
            int(a.move[row]): (int(a.block[row]), int(a.segment[row]), int(a.start[row]))
            for row in order
        }

    def _before(self, last: Unit) -> tuple[set[Unit], set[Unit]]:
        """Units that whoever comes to `last` has heard of; those among them that are over."""
        heard, over, todo = {last}, set[Unit](), [last]
        while todo:
            unit = todo.pop()
            writers = self._from.get(unit, ())
            over.update(writers)
            for other in (*writers, self._earlier.get(unit, unit)):
                if other not in heard:
                    heard.add(other)
                    todo.append(other)
        return heard - {last}, over

    def _after(self, first: Unit) -> set[Unit]:
        """Units whose threads know there that `first` is over."""
        reached: set[Unit] = set()
        todo = list(self._to.get(first, ()))
        while todo:
            unit = todo.pop()
            if unit not in reached:
                reached.add(unit)
                todo += self._to.get(unit, ())
                todo += [self._later[unit]] if unit in self._later else []
        return reached

    def _unit(self, row: int) -> Unit:
        return int(self._accesses.move[row]), int(self._accesses.relative[row])

    def before(self, x: Int, y: Int, launches: int = 0) -> Bool:
        """Whether reads `x` are known to be over by who makes the accesses `y`.

        Elementwise; `y` are those of a launch that is `launches` later. False for writes `x`.

        Raises:
            TooMuch: more questions than are asked.
        """
        a = self._accesses
        answer = np.zeros(len(x), dtype=np.bool_)
        shift = launches * self._clocks.size
        rows: list[tuple[int, int, int, int]] = []  # pair, node, column, value
        ahead: dict[Unit, dict[int, int]] = {}
        behind: dict[Unit, tuple[set[Unit], set[Unit]]] = {}
        for number in np.flatnonzero(~a.write[x] & (a.lanes[x] >= 0)).tolist():
            first, second = int(x[number]), int(y[number])
            source, target = self._unit(first), self._unit(second)
            if source not in ahead:
                points: dict[int, int] = {}
                for move, _ in self._after(source):
                    block, segment, _ = self._place[move]
                    points[block] = min(points.get(block, segment + 2), segment + 2)
                points[int(a.column[first])] = int(a.end[first])
                ahead[source] = points
            if target not in behind:
                behind[target] = self._before(target)
            if not launches and source in behind[target][1]:
                answer[number] = True
                continue
            starts = {int(a.start[second])}
            starts |= {self._place[move][2] for move, _ in behind[target][0]}
            rows += [
                (number, start + shift, column, value)
                for start in starts
                for column, value in ahead[source].items()
            ]
            if len(rows) > MAX_QUESTIONS:
                raise TooMuch(f"more than {MAX_QUESTIONS} questions about packets")
        if rows:
            pair, node, column, value = np.array(rows, dtype=np.int64).T
            seen = self._clocks.ask(node, column, value, np.zeros(len(rows), dtype=np.bool_))
            answer[pair[seen]] = True
        return answer

"""Exact data-flow verification of schedules.

Every location (rank, chunk) holds nothing or a set of contributions, as exact bit sets: one bit
for each rank where the collective reduces, else one bit for the chunk itself. All sends of a
step read the state before it. A schedule is right when

1. every sender holds what it sends;
2. nothing is added where nothing is held;
3. no location is written twice in one step unless every write adds;
4. nothing is added that is in the sum already, within one step included;
5. at the end every location that the postcondition names holds the chunk: for a reducing
   collective every rank's contribution, each exactly once.

What is held elsewhere at the end does not matter. The sends of a step are looked at in their
order; the first that breaks a rule is the counterexample, explained by `certune.tasks.collective
.explain`.

Chunks do not depend on each other, so the steps of each chunk are renumbered densely and all
chunks advance together: the number of vectorised rounds is the largest number of steps that any
one chunk is sent in, and chunks can be taken in batches that bound the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from certune.core import Counterexample, InvalidInput
from certune.tasks.collective import explain
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.schedule import Bool, Int, Schedule
from certune.tasks.collective.topology import Topology

Words = npt.NDArray[np.uint64]

BATCH_BYTES = 256 * 2**20
SLICE_BYTES = 32 * 2**20


def verify(schedule: Schedule, *, batch_bytes: int = BATCH_BYTES) -> Counterexample | None:
    """None where the schedule performs its collective, else the first violation.

    `batch_bytes` bounds the memory for contribution sets; the result does not depend on it.
    """
    after = schedule.collective.after()
    found: explain.Violation | None = None
    end: Counterexample | None = None
    limit = schedule.sends
    for batch in _batches(schedule, batch_bytes):
        state = _State(schedule, batch)
        violation = state.run(limit)
        if violation is not None:
            found, limit = violation, violation.send
        elif found is None and end is None:
            end = state.end(*after)
    return explain.violation(schedule, found) if found is not None else end


def links_exist(schedule: Schedule, topology: Topology) -> Counterexample | None:
    """None where every send takes a link of the topology, else the first that does not.

    Raises:
        InvalidInput: schedule and topology differ in their ranks.
    """
    ranks = schedule.collective.ranks
    if ranks != topology.ranks:
        raise InvalidInput(
            f"the schedule has {ranks} ranks, topology {topology.name} has {topology.ranks}",
            place="ranks",
            remedy=f"write a schedule for {topology.ranks} ranks",
        )
    missing = np.flatnonzero(topology.link_index(schedule.source, schedule.destination) < 0)
    return explain.no_link(schedule, topology, int(missing[0])) if missing.size else None


@dataclass(frozen=True)
class _Batch:
    """Chunks `first` … `last` - 1 and the indices of their sends, by chunk, step, destination.

    `touched` is at least the number of locations that they read or write.
    """

    first: int
    last: int
    sends: Int
    touched: int


def _batches(schedule: Schedule, batch_bytes: int) -> Iterator[_Batch]:
    collective = schedule.collective
    index = np.lexsort((schedule.destination, schedule.step, schedule.chunk)).astype(np.int64)
    counts = np.bincount(schedule.chunk, minlength=collective.chunks)
    size = 8 * _words(collective)
    needs = np.cumsum(np.minimum(2 * counts, collective.ranks) * size)  # bytes
    ends = np.cumsum(counts)
    first = 0
    while first < collective.chunks:
        done = int(needs[first - 1]) if first else 0
        last = int(np.searchsorted(needs, done + batch_bytes, side="right"))
        last = min(max(last, first + 1), collective.chunks)
        start = int(ends[first - 1]) if first else 0
        touched = (int(needs[last - 1]) - done) // size
        yield _Batch(first, last, index[start : int(ends[last - 1])], touched)
        first = last


def _words(collective: Collective) -> int:
    return -(-collective.ranks // 64) if collective.reducing else 1


def _initially(collective: Collective, ranks: Int, chunks: Int) -> Bool:
    """Which of these locations hold something before the first step."""
    if collective.reducing:
        return np.ones(len(ranks), dtype=np.bool_)
    holder = np.full_like(chunks, collective.root)
    if collective.kind == "alltoall":
        holder = chunks // collective.pieces
    elif collective.kind not in ("broadcast", "scatter"):
        holder = collective.owner(chunks)
    return np.equal(ranks, holder)


class _State:
    """What the locations of one batch of chunks hold; advanced round by round."""

    def __init__(self, schedule: Schedule, batch: _Batch) -> None:
        self.schedule = schedule
        self.batch = batch
        collective = schedule.collective
        sends = batch.sends
        base = batch.first
        shifted = (schedule.chunk[sends] - base) * collective.ranks
        source = shifted + schedule.source[sends]
        destination = shifted + schedule.destination[sends]
        span = (batch.last - base) * collective.ranks
        self.locations: Int | None = None  # None: every location of the batch, in order
        if span > 2 * batch.touched:
            self.locations, inverse = np.unique(
                np.concatenate((source, destination)), return_inverse=True
            )
            source, destination = np.split(inverse.astype(np.int64), 2)
        self.source, self.destination = source, destination
        self.sums = self._before(span)

    def _before(self, span: int) -> Words:
        collective = self.schedule.collective
        places = np.arange(span, dtype=np.int64) if self.locations is None else self.locations
        ranks, chunks = places % collective.ranks, places // collective.ranks + self.batch.first
        sums = np.zeros((len(places), _words(collective)), dtype=np.uint64)
        if collective.reducing:
            bits = np.uint64(1) << (ranks % 64).astype(np.uint64)
            sums[np.arange(len(places)), ranks // 64] = bits
        else:
            sums[:, 0] = _initially(collective, ranks, chunks)
        return sums

    def run(self, limit: int) -> explain.Violation | None:
        """Advance to the end; the first violation among the sends before index `limit`."""
        schedule, sends = self.schedule, self.batch.sends
        if not len(sends):
            return None
        new_chunk = np.diff(schedule.chunk[sends], prepend=-1) != 0
        new_step = new_chunk | (np.diff(schedule.step[sends], prepend=-1) != 0)
        level = np.cumsum(new_step)
        level -= np.maximum.accumulate(np.where(new_chunk, level, 0))
        # A group is what is written to one location in one step. Each of its sends must bring a
        # contribution of its own, so that more sends than ranks break a rule early on.
        starts = np.flatnonzero(new_step | (np.diff(self.destination, prepend=-1) != 0))
        sizes = np.diff(starts, append=len(sends))
        group = np.repeat(np.arange(len(starts)), sizes)
        order = np.argsort(level, kind="stable")
        if int(sizes.max()) > schedule.collective.ranks + 1:
            within = np.arange(len(sends)) - starts[group]
            order = order[within[order] <= schedule.collective.ranks]
        cuts = np.searchsorted(level[order], np.arange(int(level.max()) + 2))
        found: explain.Violation | None = None
        for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            rows = order[start:stop]
            if limit < schedule.sends:
                # A chunk that was violated has only later sends left; they go here.
                rows = rows[sends[rows] < limit]
            if not len(rows):
                continue
            violation = self._round(rows, group[rows])
            if violation is not None and violation.send < limit:
                found, limit = violation, violation.send
        return found

    def _round(self, rows: Int, group: Int) -> explain.Violation | None:
        """One step of every chunk that still has one; the first send that breaks a rule."""
        slices = [slice(0, len(rows))]
        size = max(SLICE_BYTES // self.sums.itemsize // self.sums.shape[1], 1)
        if len(rows) > size:
            starts = np.flatnonzero(np.diff(group, prepend=-1))
            at = np.unique(
                starts[np.searchsorted(starts, np.arange(0, len(rows), size), "right") - 1]
            )
            edges = [*at.tolist(), len(rows)]
            slices = [slice(a, b) for a, b in pairwise(edges)]
        results = [self._written(rows[part], group[part]) for part in slices]
        # Everything was read before anything is written. What a violation leaves behind does not
        # matter, but the other chunks of the round go on: one of theirs may come first.
        for places, values, _ in results:
            self.sums[places] = values
        found = [violation for *_, violation in results if violation is not None]
        return min(found, key=lambda violation: violation.send, default=None)

    def _written(self, rows: Int, group: Int) -> tuple[Int, Words, explain.Violation | None]:
        """The locations that these sends write, what is there then, and the first violation.

        `rows` holds whole groups, one after the other.
        """
        new = np.diff(group, prepend=-1) != 0
        starts = np.flatnonzero(new)
        several = len(starts) < len(rows)
        value = self.sums[self.source[rows]]
        place = self.destination[rows[starts]]
        reduce = self.schedule.reduce[self.batch.sends[rows]]
        adds = np.logical_and.reduceat(reduce, starts) if several else reduce
        union = np.bitwise_or.reduceat(value, starts, axis=0) if several else value
        wrong = ~adds & (np.diff(starts, append=len(rows)) > 1)
        empty = ~value.any(axis=1)
        wrong |= np.logical_or.reduceat(empty, starts) if several else empty
        if adds.any():
            held = self.sums[place[adds]]
            wrong[adds] |= ~held.any(axis=1) | (held & union[adds]).any(axis=1)
            if several:
                count = np.bitwise_count(value).sum(axis=1, dtype=np.int64)
                together = np.bitwise_count(union).sum(axis=1, dtype=np.int64)
                wrong |= adds & (np.add.reduceat(count, starts) != together)
            union[adds] |= held
        violation = None
        if wrong.any():
            # Which send of a group is the first to break a rule is found the slow way.
            violation = self._first(rows[np.repeat(wrong, np.diff(starts, append=len(rows)))])
        return place, union, violation

    def _first(self, rows: Int) -> explain.Violation:
        """The first of these sends that breaks a rule: the slow way, once there is one."""
        sends = self.batch.sends
        added: dict[int, int] = {}  # location: contributions added in this step so far
        writer: dict[int, int] = {}  # location: the send that wrote it in this step
        copied: set[int] = set()
        for row in rows[np.argsort(sends[rows])].tolist():
            send = int(sends[row])
            place = int(self.destination[row])
            value, held = self._set(int(self.source[row])), self._set(place)
            reduce = bool(self.schedule.reduce[send])
            before = held | added.get(place, 0)
            if not value:
                return explain.Violation("not-held", send)
            if place in writer and (not reduce or place in copied):
                return explain.Violation("written-twice", send, other=writer[place])
            if reduce and not held:
                return explain.Violation("nothing-to-add-to", send)
            if reduce and before & value:
                other = writer.get(place) if added.get(place, 0) & value else None
                return explain.Violation("added-twice", send, before & value, other)
            writer[place] = send
            if reduce:
                added[place] = added.get(place, 0) | value
            else:
                copied.add(place)
        raise AssertionError("the fast check found a violation that the slow one does not")

    def _set(self, location: int) -> int:
        return int.from_bytes(self.sums[location].astype("<u8").tobytes(), "little")

    def end(self, ranks: Int, chunks: Int) -> Counterexample | None:
        """The first location of the batch that lacks something of the postcondition given."""
        collective = self.schedule.collective
        first, last = np.searchsorted(chunks, (self.batch.first, self.batch.last))
        ranks, chunks = ranks[first:last], chunks[first:last]
        place = (chunks - self.batch.first) * collective.ranks + ranks
        if self.locations is None:
            touched = np.ones(len(place), dtype=np.bool_)
        elif len(self.locations):
            at = np.minimum(np.searchsorted(self.locations, place), len(self.locations) - 1)
            touched = self.locations[at] == place
            place = at
        else:
            touched = np.zeros(len(place), dtype=np.bool_)
        full = _initially(collective, ranks, chunks) & ~touched & (not collective.reducing)
        full[touched] = self._full(place[touched])
        lacking = np.flatnonzero(~full)
        if not lacking.size:
            return None
        index = int(lacking[0])
        rank, chunk = int(ranks[index]), int(chunks[index])
        if not collective.reducing:
            return explain.lacks(self.schedule, rank, chunk)
        held = self._set(int(place[index])) if touched[index] else 1 << rank
        return explain.incomplete(self.schedule, rank, chunk, held)

    def _full(self, places: Int) -> Bool:
        collective = self.schedule.collective
        words = _words(collective)
        whole = np.full(words, ~np.uint64(0), dtype=np.uint64)
        used = (collective.ranks if collective.reducing else 1) % 64
        if used:
            whole[-1] = (np.uint64(1) << np.uint64(used)) - np.uint64(1)
        full = np.ones(len(places), dtype=np.bool_)
        for word in range(words):
            full &= self.sums[places, word] == whole[word]
        return full

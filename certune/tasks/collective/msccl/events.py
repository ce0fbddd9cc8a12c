"""The operations of a lowered schedule, before their dependences: who does what, in which order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certune.core import InvalidInput
from certune.tasks.collective.msccl.cells import Cells, place_cells, wanted_pairs
from certune.tasks.collective.msccl.limits import MAX_COUNT
from certune.tasks.collective.msccl.program import (
    CPY,
    RCS,
    RE,
    RRC,
    RRCS,
    RRS,
    SCRATCH,
    Bool,
    Int,
    R,
    S,
)
from certune.tasks.collective.schedule import Schedule

_SPAN = 2**26  # values below this are counted in a table, above they are sorted


@dataclass(frozen=True)
class Way:
    """A way of arranging operations.

    fuse:        fuse a receive with the send of the same chunk right after it
    share:       let a receiving and a sending connection share a thread block
    sends_first: all sends of a step come before its receives, else both alternate
    """

    fuse: bool
    share: bool
    sends_first: bool


@dataclass(frozen=True, eq=False)
class Operations:
    """Operations sorted by thread block and place in it; all columns have the same length.

    `time` is the order of accesses that the schedule asks for, over all ranks. A thread block b
    (numbered over all ranks, in order) is described by the block columns.
    """

    block: Int
    kind: Int
    source_buffer: Int
    source_offset: Int
    target_buffer: Int
    target_offset: Int
    time: Int
    count: Int
    block_rank: Int
    block_send: Int
    block_receive: Int
    block_channel: Int


@dataclass(frozen=True, eq=False)
class _History:
    """What happens to (rank, chunk) pairs, in the order of the schedule.

    Events 0 … n - 1 are the receives of rows 0 … n - 1, events n … 2n - 1 their sends.

    came:     [rows] the row that brought what a row sends, -1 if its rank had it from the start
    time:     [events] position in the order
    next:     [events] the next event of the same pair, -1 for the last
    by, begins: events in order of pair and time, and where a pair begins in it
    """

    came: Int
    time: Int
    next: Int
    by: Int
    begins: Bool


def _history(pair_in: Int, pair_out: Int, step: Int, reduce: Bool, steps: int) -> _History:
    number = len(step)
    # In a step all sends read first; then copies arrive, then sums.
    moment = np.concatenate((3 * step + 1 + reduce, 3 * step))
    pairs = np.concatenate((pair_in, pair_out))
    by = np.argsort(pairs * (3 * steps) + moment, kind="stable")
    position = np.arange(2 * number)
    begins = np.ones(2 * number, dtype=np.bool_)
    begins[1:] = pairs[by[1:]] != pairs[by[:-1]]
    first = np.maximum.accumulate(np.where(begins, position, 0))
    latest = np.maximum.accumulate(np.where(by < number, position, -1))
    brought = np.empty(2 * number, dtype=np.int64)
    brought[by] = np.where(latest >= first, by[latest], -1)
    following = np.full(2 * number, -1)
    continues = np.flatnonzero(~begins)
    following[by[continues - 1]] = by[continues]
    # Time over all pairs: by moment, ties as within the pair.
    order = np.argsort(moment[by], kind="stable")
    time = np.empty(2 * number, dtype=np.int64)
    time[by[order]] = position
    return _History(brought[number:], time, following, by, begins)


def densify(values: Int, span: int) -> tuple[Int, Int]:
    """The distinct values of a column with values below `span`, and where each row is in them."""
    if span > _SPAN:
        distinct, which = np.unique(values, return_inverse=True)
        return distinct, which
    there = np.zeros(span, dtype=np.bool_)
    there[values] = True
    distinct = np.flatnonzero(there)
    place = np.empty(span, dtype=np.int64)
    place[distinct] = np.arange(len(distinct))
    return distinct, place[values]


def count_within(groups: Int) -> Int:
    """For a column of runs, the position of each row within its run of equal values."""
    rows = np.arange(len(groups))
    fresh = np.ones(len(groups), dtype=np.bool_)
    fresh[1:] = groups[1:] != groups[:-1]
    return rows - np.maximum.accumulate(np.where(fresh, rows, 0))


def operations(
    schedule: Schedule, channels: int, way: Way, *, in_place: bool, fused: bool
) -> Operations:
    """The operations of `schedule` on `channels` channels.

    Raises:
        InvalidInput: a schedule that sends what a rank does not hold or leaves a rank without
            what it must have.
    """
    collective = schedule.collective
    chunks, ranks = collective.chunks, collective.ranks
    link = schedule.source * ranks + schedule.destination
    link = link * channels + schedule.chunk % channels
    order = np.argsort(link, kind="stable")  # steps stay in order within a connection
    chunk, step, reduce = schedule.chunk[order], schedule.step[order], schedule.reduce[order]
    source, destination = schedule.source[order], schedule.destination[order]
    links, connection = densify(link[order], ranks * ranks * channels)
    pair_in, pair_out = destination * chunks + chunk, source * chunks + chunk
    history = _history(pair_in, pair_out, step, reduce, schedule.steps)
    blocks = _blocks(links, connection, history.came, ranks, channels, share=way.share)
    receiving, sending = blocks.into[connection], blocks.out[connection]
    nth = count_within(connection * schedule.steps + step)
    key = _keys(step, nth, way)
    merged = np.zeros(len(step), dtype=np.bool_)
    if way.fuse:
        merged = _merge(key, np.concatenate((receiving, sending)), history.came)
    wanted_rank, wanted_chunk = wanted_pairs(collective)
    wanted = wanted_rank * chunks + wanted_chunk
    pairs, at = densify(np.concatenate((pair_in, pair_out, wanted)), ranks * chunks)
    number = len(step)
    at_in, at_out, at_end = at[:number], at[number : 2 * number], at[2 * number :]
    arrives = np.zeros(len(pairs), dtype=np.bool_)
    arrives[at_in] = True
    cells = place_cells(collective, *np.divmod(pairs, chunks), arrives, in_place=in_place)
    passed = np.zeros(len(step), dtype=np.bool_)
    passed[history.came[merged]] = True
    unkept = passed & reduce & _unread(history, merged, reduce, cells.final_buffer[at_in] >= 0)
    held = _held(history, unkept)
    present_in = _present(cells, at_in, held[:number])
    present_out = _present(cells, at_out, held[number:])
    if np.any(present_out[0][~merged] < 0) or np.any(present_in[0][reduce] < 0):
        raise InvalidInput(
            "the schedule sends or adds to what a rank does not hold",
            remedy="verify the schedule before it is lowered",
        )
    home = cells.home_buffer[at_in], cells.home_offset[at_in]
    time_in, time_out = 2 * history.time[:number], 2 * history.time[number:]
    if fused:
        kind = np.where(
            reduce,
            np.where(passed, np.where(unkept, RRS, RRCS), RRC),
            np.where(passed, RCS, R),
        )
        source_in = np.where(reduce, present_in, home)
        target_in = np.where(unkept, present_in, home)
        parts = [_part(receiving, 2 * key[:number], kind, source_in, target_in, time_in)]
    else:
        temporary = _temporaries(cells, pairs // chunks, blocks, receiving, reduce, present_in)
        parts = _plain(receiving, 2 * key[:number], reduce, (present_in, home, temporary), time_in)
    alone = ~merged
    sent = np.array(present_out)[:, alone]
    plain = np.full(int(alone.sum()), S)
    parts.append(_part(sending[alone], 2 * key[number:][alone], plain, sent, sent, time_out[alone]))
    stored = np.zeros(len(pairs), dtype=np.bool_)
    stored[at_in[~unkept]] = True
    lies = np.array(_present(cells, at_end, stored[at_end]))
    ends = np.array((cells.final_buffer[at_end], cells.final_offset[at_end]))
    apart = np.flatnonzero((lies != ends).any(axis=0))
    if np.any(lies[0][apart] < 0):
        raise InvalidInput(
            "the schedule leaves a rank without a chunk that it must have",
            remedy="verify the schedule before it is lowered",
        )
    local = len(blocks.rank) + wanted_rank[apart]
    parts.append(_copies(local, lies[:, apart], ends[:, apart], 4 * number))
    return _sorted(parts, blocks, ranks)


def _copies(block: Int, source: Int, target: Int, time: int) -> Int:
    """Local copies at the end; neighbouring chunks are copied in one step."""
    rows = np.lexsort((source[1], target[0], source[0], block))
    block, source, target = block[rows], source[:, rows], target[:, rows]
    fresh = np.ones(len(rows), dtype=np.bool_)
    fresh[1:] = (block[1:] != block[:-1]) | (source[0, 1:] != source[0, :-1])
    fresh[1:] |= target[0, 1:] != target[0, :-1]
    fresh[1:] |= (np.diff(source[1]) != 1) | (np.diff(target[1]) != 1)
    run: Int = np.cumsum(fresh)
    fresh |= count_within(run) % (MAX_COUNT - 1) == 0
    heads = np.flatnonzero(fresh)
    count = np.diff(np.append(heads, len(rows)))
    copies, times = np.full(len(heads), CPY), np.full(len(heads), time)
    part = _part(
        block[heads], np.arange(len(heads)), copies, source[:, heads], target[:, heads], times
    )
    part[-1] = count
    return part


def _keys(step: Int, nth: Int, way: Way) -> Int:
    """[events] place of receives and sends in their thread blocks."""
    phase: Int = np.repeat(np.array((1, 0)), len(step))
    at, within = np.concatenate((step, step)), np.concatenate((nth, nth))
    per_step = int(nth.max(initial=0)) + 1
    if way.sends_first:
        return (at * 2 + phase) * per_step + within
    return (at * per_step + within) * 2 + phase


def _merge(key: Int, block: Int, came: Int) -> Bool:
    """[rows] sends that directly follow, in their thread block, the receive of what they send."""
    number = len(came)
    listed = np.argsort(block * (int(key.max(initial=0)) + 1) + key, kind="stable")
    one, two = listed[:-1], listed[1:]
    near = (one < number) & (two >= number) & (block[one] == block[two])
    rows = two[near] - number
    merged = np.zeros(number, dtype=np.bool_)
    merged[rows[came[rows] == one[near]]] = True
    return merged


def _unread(history: _History, merged: Bool, reduce: Bool, wanted: Bool) -> Bool:
    """[rows] receives whose result, apart from the send fused to it, nobody reads."""
    number = len(merged)
    following = history.next[:number].copy()
    rows = np.flatnonzero(merged)
    bringers = history.came[rows]
    direct = following[bringers] == number + rows
    following[bringers[direct]] = history.next[number + rows[direct]]
    inside = np.clip(following, 0, number - 1)
    replaced = (following >= 0) & (following < number) & ~reduce[inside]
    unread: Bool = np.where(following >= 0, replaced, ~wanted)
    return unread


def _held(history: _History, unkept: Bool) -> Bool:
    """[events] whether, before the event, something that arrived was stored."""
    number = len(unkept)
    keeps = np.concatenate((~unkept, np.zeros(number, dtype=np.bool_)))[history.by]
    earlier = np.cumsum(keeps) - keeps
    base = np.maximum.accumulate(np.where(history.begins, earlier, 0))
    held = np.empty(2 * number, dtype=np.bool_)
    held[history.by] = earlier > base
    return held


def _present(cells: Cells, at: Int, held: Bool) -> tuple[Int, Int]:
    """Where the present value of pairs lies: at home, or where it was from the start."""
    return (
        np.where(held, cells.home_buffer[at], cells.start_buffer[at]),
        np.where(held, cells.home_offset[at], cells.start_offset[at]),
    )


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Thread blocks with their peers; `out` and `into` say where each connection is served."""

    out: Int
    into: Int
    rank: Int
    send: Int
    receive: Int
    channel: Int


def _blocks(
    links: Int, connection: Int, came: Int, ranks: int, channels: int, *, share: bool
) -> _Blocks:
    pair, channel = np.divmod(links, channels)
    source, destination = np.divmod(pair, ranks)
    number = len(links)
    partner = np.full(number, -1)  # for an incoming connection, the outgoing one it shares with
    taken = np.zeros(number, dtype=np.bool_)
    if share:
        rows = np.flatnonzero(came >= 0)
        flows = connection[came[rows]] * number + connection[rows]
        pairs, weight = np.unique(flows, return_counts=True)
        for flow in pairs[np.argsort(-weight, kind="stable")].tolist():
            into, out = divmod(flow, number)
            if partner[into] < 0 and not taken[out]:
                partner[into], taken[out] = out, True
    alone = np.flatnonzero(~taken)
    # One row a thread block: incoming connections with their partners, then lone outgoing ones.
    rank = np.concatenate((destination, source[alone]))
    receive = np.concatenate((source, np.full(len(alone), -1)))
    send = np.concatenate((np.where(partner >= 0, destination[partner], -1), destination[alone]))
    via = np.concatenate((channel, channel[alone]))
    order = np.lexsort((receive, send, via, rank))
    label = np.empty(len(order), dtype=np.int64)
    label[order] = np.arange(len(order))
    out_label = np.full(number, -1)
    shared = np.flatnonzero(partner >= 0)
    out_label[partner[shared]] = label[shared]
    out_label[alone] = label[number:]
    return _Blocks(out_label, label[:number], rank[order], send[order], receive[order], via[order])


def _part(block: Int, key: Int, kind: Int, source: Int, target: Int, time: Int) -> Int:
    one = np.ones(len(block), dtype=np.int64)
    return np.stack((block, key, kind, source[0], source[1], target[0], target[1], time, one))


def _plain(
    block: Int, key: Int, reduce: Bool, cells: tuple[tuple[Int, Int], ...], time: Int
) -> list[Int]:
    """Receives without fused operations: r, and re where a sum is asked for."""
    present, home, temporary = (np.array(pair) for pair in cells)
    aside = reduce & (present == home).all(axis=0)
    lands = np.where(aside, temporary, home)
    adds = np.where(aside, temporary, present)
    return [
        _part(block, key, np.full(len(block), R), lands, lands, time),
        _part(
            block[reduce], key[reduce] + 1, np.full(int(reduce.sum()), RE),
            adds[:, reduce], home[:, reduce], time[reduce] + 1,
        ),
    ]  # fmt: skip


def _temporaries(
    cells: Cells, pair_rank: Int, blocks: _Blocks, block: Int, reduce: Bool, like: tuple[Int, Int]
) -> tuple[Int, Int]:
    """A scratch chunk for each thread block that adds, after the scratch of the pairs."""
    used = np.bincount(
        pair_rank[cells.home_buffer == SCRATCH], minlength=int(blocks.rank.max(initial=0)) + 1
    )
    adding = np.unique(block[reduce])
    rank = blocks.rank[adding]
    offset = np.zeros(len(blocks.rank), dtype=np.int64)
    offset[adding] = used[rank] + count_within(rank)
    return np.full_like(like[0], SCRATCH), offset[block]


def _sorted(parts: list[Int], blocks: _Blocks, ranks: int) -> Operations:
    rows = np.concatenate(parts, axis=1)
    block, key = rows[0], rows[1]
    # Thread blocks without peers come last on their rank.
    known = np.concatenate((blocks.rank, np.arange(ranks)))
    final = np.argsort(known, kind="stable")
    present = np.zeros(len(known), dtype=np.bool_)
    present[block] = True
    final = final[present[final]]
    label = np.full(len(known), -1)
    label[final] = np.arange(len(final))
    width = int(key.max(initial=0)) + 1
    order = np.argsort(label[block] * width + key, kind="stable")
    rows = rows[:, order]
    none = np.full(ranks, -1)
    return Operations(
        block=label[rows[0]],
        kind=rows[2],
        source_buffer=rows[3],
        source_offset=rows[4],
        target_buffer=rows[5],
        target_offset=rows[6],
        time=rows[7],
        count=rows[8],
        block_rank=known[final],
        block_send=np.concatenate((blocks.send, none))[final],
        block_receive=np.concatenate((blocks.receive, none))[final],
        block_channel=np.concatenate((blocks.channel, np.zeros(ranks, dtype=np.int64)))[final],
    )

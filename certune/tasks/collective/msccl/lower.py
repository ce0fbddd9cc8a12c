"""From native schedules to MSCCL programs.

Each (source, destination, channel) is a connection; chunk k takes channel k % channels, so that
a chunk that is passed on stays on its channel. A receiving and a sending connection of a rank
share a thread block when most chunks flow from the one to the other; a receive that is followed
at once by the send of the same chunk is fused (rcs, rrs, rrcs) where the runtime has these.

Dependences between thread blocks of a rank are the conflicts of their accesses to a cell in the
order of the schedule (read after write, write after read, write after write), without those that
an earlier wait implies; further waits of an operation stand in nops before it.

The result is checked to terminate with messages of any size on the slots of its protocol; if a
way of arranging it does not, the next is tried. Callers verify what they get as any other file.
"""

from __future__ import annotations

import numpy as np

from certune.core import InvalidInput
from certune.tasks.collective.msccl.compile import compile_program
from certune.tasks.collective.msccl.conflicts import conflicts
from certune.tasks.collective.msccl.events import Operations, Way, count_within, densify, operations
from certune.tasks.collective.msccl.limits import LIMITS, SLOTS, Limits
from certune.tasks.collective.msccl.memory import arrange
from certune.tasks.collective.msccl.order import operations_graph, wavefronts
from certune.tasks.collective.msccl.program import (
    INPUT,
    NOP,
    OUTPUT,
    READS_SOURCE,
    SCRATCH,
    WRITES,
    Bool,
    Header,
    Int,
    Program,
    Protocol,
    Target,
)
from certune.tasks.collective.schedule import Schedule

_LARGEST = 2**40  # microsoft/msccl has no way to say that there is no limit
_NAMES = {"reduce-scatter": {"microsoft": "reduce_scatter"}}
_CHANNELS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)


_WAYS = (
    Way(fuse=True, share=True, sends_first=False),
    Way(fuse=True, share=True, sends_first=True),
    Way(fuse=False, share=True, sends_first=True),
    Way(fuse=False, share=False, sends_first=True),
)


def lower(
    schedule: Schedule,
    target: Target,
    *,
    protocol: Protocol = "Simple",
    in_place: bool = False,
    channels: int | None = None,
    name: str = "certune",
    min_bytes: int = 0,
    max_bytes: int | None = None,
) -> Program:
    """An MSCCL program that performs `schedule`.

    Without `channels`, the fewest that keep the program within the limits of `target` are taken.

    Raises:
        InvalidInput: a collective that the target does not have, a limit of the target that the
            schedule exceeds with any number of channels, or no arrangement that terminates.
    """
    limits = LIMITS[target]
    collective = _NAMES.get(schedule.collective.kind, {}).get(target) or (
        schedule.collective.kind.replace("-", "")
    )
    if collective not in limits.collectives:
        raise InvalidInput(
            f"{limits.name} has no {schedule.collective.kind}",
            remedy=f"it has {', '.join(limits.collectives)}",
        )
    if channels is not None and not 1 <= channels <= limits.channels:
        raise InvalidInput(
            f"{channels} channels", remedy=f"{limits.name} has 1 to {limits.channels}"
        )
    tried = _numbers(schedule, limits) if channels is None else (channels,)
    reason: InvalidInput | None = None
    for number in tried:
        for way in _WAYS:
            if way.fuse and not limits.fused:
                continue
            found = operations(schedule, number, way, in_place=in_place, fused=limits.fused)
            header = Header(
                name=name,
                protocol=protocol,
                channels=number,
                pieces=_pieces(schedule),
                ranks=schedule.collective.ranks,
                collective=collective,
                in_place=in_place,
                out_of_place=not in_place,
                min_bytes=min_bytes,
                max_bytes=max_bytes or (_LARGEST if target == "microsoft" else 0),
            )
            program = _assemble(found, header, schedule, in_place)
            if program is None:
                continue
            try:
                within(program, limits)
            except InvalidInput as error:
                reason = error
                break  # the other ways need no fewer thread blocks or steps
            graph = operations_graph(compile_program(program), SLOTS[protocol])
            if not len(wavefronts(graph).stuck):
                return program
            reason = InvalidInput(
                f"with {number} channels the program would hang with the {SLOTS[protocol]}"
                f" slots of {protocol}",
                remedy="send fewer chunks over one link in one step, or take another protocol",
            )
    raise reason or InvalidInput("no arrangement of this schedule was found")


def _numbers(schedule: Schedule, limits: Limits) -> tuple[int, ...]:
    """Numbers of channels worth trying: those where no connection alone has too many steps."""
    allowed = [number for number in _CHANNELS if number <= limits.channels]
    ranks = schedule.collective.ranks
    link = schedule.source * ranks + schedule.destination
    for number in allowed:
        _, which = densify(link * number + schedule.chunk % number, ranks * ranks * number)
        messages = np.bincount(which)
        if int(messages.max(initial=0)) <= limits.steps:
            return tuple(allowed[allowed.index(number) :])
    return (allowed[-1],)


def _pieces(schedule: Schedule) -> int:
    """N: for gather and scatter the runtimes count the pieces of one rank."""
    collective = schedule.collective
    if collective.kind in ("gather", "scatter"):
        return collective.pieces // collective.ranks
    return collective.pieces


def within(program: Program, limits: Limits) -> None:
    """Refuse a program that exceeds a limit of its target.

    Raises:
        InvalidInput: which limit, where.
    """
    length = np.diff(program.first)
    blocks = np.bincount(program.rank, minlength=program.ranks)
    steps = np.bincount(program.rank, weights=length, minlength=program.ranks).astype(np.int64)
    nodes = 1 + program.ranks + blocks + steps
    key = program.rank * (program.header.channels + 1) + program.channel
    senders = np.bincount(key[program.send >= 0], minlength=1)
    receivers = np.bincount(key[program.receive >= 0], minlength=1)
    found = (
        ("steps in one thread block", int(length.max(initial=0)), limits.steps),
        ("thread blocks on one rank", int(blocks.max()), limits.blocks),
        ("sending thread blocks on one channel", int(senders.max()), limits.peers),
        ("receiving thread blocks on one channel", int(receivers.max()), limits.peers),
        ("XML elements for one rank", int(nodes.max()), limits.nodes),
        ("ranks", program.ranks, limits.children or program.ranks),
        ("highest thread block that is waited for", int(program.depends.max(initial=0)), 127),
    )
    for noun, number, limit in found:
        if number > limit:
            raise InvalidInput(
                f"{number} {noun}; {limits.name} allows {limit}",
                remedy="take fewer pieces, or more channels",
            )


def _assemble(
    found: Operations, header: Header, schedule: Schedule, in_place: bool
) -> Program | None:
    """The program with its dependences; None if a thread block runs against the schedule."""
    ranks, number = header.ranks, len(found.kind)
    scratch = np.zeros(ranks, dtype=np.int64)
    for buffer, offset in (
        (found.source_buffer, found.source_offset),
        (found.target_buffer, found.target_offset),
    ):
        rows = np.flatnonzero(buffer == SCRATCH)
        end = offset[rows] + found.count[rows]
        np.maximum.at(scratch, found.block_rank[found.block[rows]], end)
    memory = arrange(
        schedule.collective.kind, ranks, header.pieces, scratch,
        in_place=in_place, root=schedule.collective.root,
    )  # fmt: skip
    rank = found.block_rank[found.block]
    edges = _dependences(
        found,
        memory.base[rank, found.source_buffer] + found.source_offset,
        memory.base[rank, found.target_buffer] + found.target_offset,
    )
    if edges is None:
        return None
    waiter, on = edges  # sorted by waiter
    waits = np.bincount(waiter, minlength=number)
    row = np.arange(number) + np.cumsum(np.maximum(waits - 1, 0))
    steps = int(row[-1]) + 1 if number else 0
    starts = np.searchsorted(found.block, np.arange(len(found.block_rank) + 1))
    begins = np.append(row - np.maximum(waits - 1, 0), steps)[starts]
    block = np.repeat(np.arange(len(found.block_rank)), np.diff(begins))
    s = np.arange(steps) - begins[block]
    # The first wait of an operation stands in it, the others in the nops before it.
    carrier = row[waiter] - count_within(waiter)
    first_block = np.searchsorted(found.block_rank, np.arange(ranks))
    depends, depends_step = np.full(steps, -1), np.full(steps, -1)
    depends[carrier] = found.block[on] - first_block[found.block_rank[found.block[on]]]
    depends_step[carrier] = s[row[on]]
    signals = np.zeros(steps, dtype=np.int64)
    signals[row[on]] = 1

    def column(values: Int, filler: int) -> Int:
        filled = np.full(steps, filler)
        filled[row] = values
        return filled

    used = np.zeros(3, dtype=np.bool_)
    used[found.source_buffer] = used[found.target_buffer] = True
    chunks = memory.size.copy()
    if in_place:  # as other writers do, only the buffers that the program names
        chunks[:, ~used] = 0
    return Program(
        header=header,
        chunks=chunks,
        rank_line=np.zeros(ranks, dtype=np.int64),
        rank=found.block_rank,
        block=np.arange(len(found.block_rank)) - first_block[found.block_rank],
        send=found.block_send,
        receive=found.block_receive,
        channel=found.block_channel,
        block_line=np.zeros(len(found.block_rank), dtype=np.int64),
        first=begins,
        s=s,
        kind=column(found.kind, NOP).astype(np.int8),
        source=column(found.source_buffer, INPUT).astype(np.int8),
        source_offset=column(found.source_offset, -1),
        target=column(found.target_buffer, OUTPUT).astype(np.int8),
        target_offset=column(found.target_offset, -1),
        count=column(found.count, 0),
        depends=depends,
        depends_step=depends_step,
        signals=signals,
        line=np.zeros(steps, dtype=np.int64),
    )


def _chunks(found: Operations, which: Bool) -> tuple[Int, Int]:
    """Chosen operations chunk by chunk: the operation, and the chunk in it."""
    rows = np.flatnonzero(which)
    count = found.count[rows]
    operation = np.repeat(rows, count)
    return operation, np.arange(len(operation)) - np.repeat(np.cumsum(count) - count, count)


def _dependences(found: Operations, source: Int, target: Int) -> tuple[Int, Int] | None:
    """(waiting, waited for) operations of different thread blocks, sorted by the waiting one.

    None if two conflicting operations of one thread block are in the wrong order.
    """
    reading, part = _chunks(found, READS_SOURCE[found.kind])
    writing, other = _chunks(found, WRITES[found.kind])
    operation = np.concatenate((reading, writing))
    cell = np.concatenate((source[reading] + part, target[writing] + other))
    writes = np.arange(len(operation)) >= len(reading)
    span = int(found.time.max(initial=0)) + 1
    order = np.argsort((cell * span + found.time[operation]) * 2 + writes)
    operation, cell, writes = operation[order], cell[order], writes[order]
    earlier, later = conflicts(cell, writes)
    a, b = operation[earlier], operation[later]
    same = found.block[a] == found.block[b]
    if np.any(a[same] > b[same]):
        return None
    a, b = a[~same], b[~same]
    if not len(a):
        return a, a
    # One wait a thread block waited for, and none that an earlier operation has waited for.
    number = len(found.kind)
    order = np.lexsort((a, b, found.block[a], found.block[b]))
    a, b = a[order], b[order]
    group = found.block[b] * len(found.block_rank) + found.block[a]
    fresh = np.ones(len(a), dtype=np.bool_)
    fresh[1:] = group[1:] != group[:-1]
    reached = np.maximum.accumulate(np.cumsum(fresh) * number + a)
    needed = fresh.copy()
    needed[1:] |= reached[1:] > reached[:-1]
    a, b, group = a[needed], b[needed], group[needed]
    last = np.ones(len(a), dtype=np.bool_)
    last[:-1] = (b[1:] != b[:-1]) | (group[1:] != group[:-1])
    a, b = a[last], b[last]
    order = np.argsort(b, kind="stable")
    return b[order], a[order]

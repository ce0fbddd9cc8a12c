"""What the runtimes' parser makes of a program: operations, waits, flags, messages.

Follows `mscclGetAlgoFromXmlFile` (ROCm/rccl and Azure/msccl-executor-nccl, msccl_parser.cc):

* a nop is no operation; its dependence joins those of the next operation that starts a
  transmission, and its `hasdep` is ignored;
* consecutive `re` of one thread block with the same target and source buffer are fused into one
  transmission when the earlier has hasdep=0 and the later depid=-1 (nops between them do not
  matter, and keep their dependence for the operation after). A fused transmission takes the count
  and `hasdep` of its last `re`. Sixteen `re` of a thread block end a transmission, counted over
  the whole thread block, not over the transmission;
* an operation that starts a transmission with dependences pending must itself carry one,
  else the file is refused;
* the step number that waiters compare with is the runtime's own counter: an operation with w
  waits adds max(0, w - 1) before it and 1 after it.

In this form every member of a fused transmission stays an operation of its own, with the count
and the signal that it has in the transmission.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certune.tasks.collective.msccl.program import (
    NOP,
    RE,
    RECEIVES,
    SENDS,
    Bool,
    Int,
    Program,
    Small,
    describe,
)

MAX_FUSION = 16
NEVER = -1


@dataclass(frozen=True, eq=False)
class Code:
    """A program as it runs: operations in columns, in thread block order.

    step:      row of the step in the program
    block:     row of the thread block
    kind, count
    flag:      the runtime's step number, which waiters compare with
    signals:   whether it signals after it
    first:     [blocks + 1] operations of block b are first[b] … first[b + 1] - 1
    fused:     whether it continues the transmission of the operation before it
    wait_from: [operations + 1] waits of operation k are wait_from[k] … wait_from[k + 1] - 1
    wait_on:   the operation whose signal a wait waits for, `NEVER` if none will come
    wait_step: row of the step that carries the dependence
    partner:   for operations that send, the operation that receives; -1 else
    origin:    for operations that receive, the operation that sends; -1 else
    refused:   steps at which the runtime refuses the file (a chain of dependences that does not
               end in the operation)
    dropped:   steps whose dependence no operation waits for
    problems:  what is wrong with connections: sentence and step, at most one a connection;
               `partner` and `origin` are all -1 then
    """

    program: Program
    step: Int
    block: Int
    kind: Small
    count: Int
    flag: Int
    signals: Bool
    first: Int
    fused: Bool
    wait_from: Int
    wait_on: Int
    wait_step: Int
    partner: Int
    origin: Int
    refused: Int
    dropped: Int
    problems: tuple[tuple[str, int], ...]

    @property
    def operations(self) -> int:
        """Number of operations."""
        return len(self.step)

    def place(self, operation: int) -> str:
        """An operation as people name it."""
        return self.program.place(int(self.step[operation]))

    def describe(self, operation: int) -> str:
        """What an operation does, in a few words."""
        return describe(self.program, int(self.step[operation]))


def compile_program(program: Program) -> Code:
    """The operations of `program`, their waits, signals and messages."""
    step_block = np.repeat(np.arange(program.blocks), np.diff(program.first))
    real = program.kind != NOP
    step = np.flatnonzero(real)
    block = step_block[step]
    kind = program.kind[step]
    first = np.searchsorted(block, np.arange(program.blocks + 1))
    fused = _fused(program, step, block, kind)
    count, signals = _transmissions(program, step, fused)
    operation, wait_step, refused, dropped = _pending(program, step_block, real, step, fused)
    waits = np.bincount(operation, minlength=len(step))
    wait_from = np.concatenate(([0], np.cumsum(waits)))
    extra = np.cumsum(np.maximum(waits - 1, 0))
    before = np.concatenate(([0], extra))[first[block]]
    flag = np.arange(len(step)) - first[block] + extra - before
    wait_on = _signallers(program, step_block, block, flag, signals, wait_step)
    partner, origin, problems = _connect(program, first, step, kind, count)
    return Code(
        program=program,
        step=step,
        block=block,
        kind=kind,
        count=count,
        flag=flag,
        signals=signals,
        first=first,
        fused=fused,
        wait_from=wait_from,
        wait_on=wait_on,
        wait_step=wait_step,
        partner=partner,
        origin=origin,
        refused=refused,
        dropped=dropped,
        problems=problems,
    )


def _fused(program: Program, step: Int, block: Int, kind: Small) -> Bool:
    fused = np.zeros(len(step), dtype=np.bool_)
    rows = np.flatnonzero(kind == RE)
    if not len(rows):
        return fused
    reductions = np.cumsum(kind == RE)
    later = rows[(rows > 0)]
    later = later[(kind[later - 1] == RE) & (block[later - 1] == block[later])]
    a, b = step[later - 1], step[later]
    same = (program.target[a] == program.target[b]) & (program.source[a] == program.source[b])
    same &= program.target_offset[a] == program.target_offset[b]
    same &= (program.signals[a] == 0) & (program.depends[b] < 0)
    # The runtime counts reductions over the thread block and ends a transmission at 16 only.
    starts = np.searchsorted(block, block[later - 1])
    in_block = reductions[later - 1] - np.where(starts > 0, reductions[starts - 1], 0)
    fused[later] = same & (in_block != MAX_FUSION)
    return fused


def _transmissions(program: Program, step: Int, fused: Bool) -> tuple[Int, Bool]:
    count = program.count[step].copy()
    signals = program.signals[step] == 1
    if fused.any():
        ends = np.append(~fused[1:], True)
        positions = np.arange(len(step))
        last = np.minimum.accumulate(np.where(ends, positions, len(step))[::-1])[::-1]
        count = count[last]
        signals &= ends
    return count, signals


def _pending(
    program: Program, step_block: Int, real: Bool, step: Int, fused: Bool
) -> tuple[Int, Int, Int, Int]:
    """Which operation waits for the dependence of which step; both sorted by operation."""
    carrying = np.flatnonzero(program.depends >= 0)
    starting = np.flatnonzero(~fused)
    at = np.searchsorted(step[starting], carrying)
    found = at < len(starting)
    operation = starting[np.minimum(at, len(starting) - 1)] if len(starting) else at
    if len(starting):
        found &= step_block[step[operation]] == step_block[carrying]
    dropped = carrying[~found]
    operation, carrying = operation[found], carrying[found]
    waiting = np.unique(operation)
    refused = step[waiting[program.depends[step[waiting]] < 0]]
    return operation, carrying, refused, dropped


def _signallers(
    program: Program, step_block: Int, block: Int, flag: Int, signals: Bool, wait_step: Int
) -> Int:
    """For each wait the first operation whose signal satisfies it."""
    if not len(wait_step):
        return np.zeros(0, dtype=np.int64)
    signalling = np.flatnonzero(signals)
    base = 2**32  # above every flag and every step number that a file may name
    keys = block[signalling] * base + flag[signalling]
    row_of_rank = np.searchsorted(program.rank, np.arange(program.ranks))
    target = row_of_rank[program.rank[step_block[wait_step]]] + program.depends[wait_step]
    at = np.searchsorted(keys, target * base + program.depends_step[wait_step])
    inside = np.minimum(at, len(signalling) - 1)
    if not len(signalling):
        return np.full(len(wait_step), NEVER)
    found = (at < len(signalling)) & (block[signalling[inside]] == target)
    return np.where(found, signalling[inside], NEVER)


def _connect(
    program: Program, first: Int, step: Int, kind: Small, count: Int
) -> tuple[Int, Int, tuple[tuple[str, int], ...]]:
    """Pair the k-th message sent on a connection with the k-th received."""
    partner = np.full(len(step), -1)
    origin = np.full(len(step), -1)
    sending = np.flatnonzero(SENDS[kind] & (count > 0))
    receiving = np.flatnonzero(RECEIVES[kind] & (count > 0))
    send_from, receive_from = np.searchsorted(sending, first), np.searchsorted(receiving, first)
    ranks, channels = program.ranks, int(program.channel.max(initial=0)) + 2
    key_out = (program.rank * ranks + program.send) * channels + program.channel + 1
    key_in = (program.receive * ranks + program.rank) * channels + program.channel + 1
    out = np.flatnonzero(np.diff(send_from) > 0)
    into = np.flatnonzero(np.diff(receive_from) > 0)
    out, into = out[np.argsort(key_out[out])], into[np.argsort(key_in[into])]
    problems = [
        *_twice(program, out, key_out, step[sending], send_from, "send", channels),
        *_twice(program, into, key_in, step[receiving], receive_from, "receive", channels),
    ]
    if not problems:
        problems = _unpaired(
            program, (out, key_out, sending, send_from), (into, key_in, receiving, receive_from),
            step, count, channels,
        )  # fmt: skip
    if problems:
        return partner, origin, tuple(problems)
    peer = np.full(program.blocks, -1)
    peer[out] = into
    block_of_send = np.repeat(np.arange(program.blocks), np.diff(send_from))
    at = np.arange(len(sending)) - send_from[block_of_send] + receive_from[peer[block_of_send]]
    partner[sending] = receiving[at]
    origin[receiving[at]] = sending
    return partner, origin, ()


def _name(key: int, ranks: int, channels: int) -> str:
    pair, channel = divmod(key, channels)
    return f"from rank {pair // ranks} to rank {pair % ranks} on channel {channel - 1}"


def _twice(
    program: Program, blocks: Int, key: Int, steps: Int, offsets: Int, verb: str, channels: int
) -> list[tuple[str, int]]:
    same = np.flatnonzero(key[blocks[1:]] == key[blocks[:-1]])
    return [
        (
            f"thread blocks {program.block[blocks[row]]} and {program.block[blocks[row + 1]]} of"
            f" rank {program.rank[blocks[row]]} both {verb} on the connection"
            f" {_name(int(key[blocks[row]]), program.ranks, channels)};"
            " their messages mix in an order that nobody decides",
            int(steps[offsets[blocks[row + 1]]]),
        )
        for row in same[:8].tolist()
    ]


def _unpaired(
    program: Program,
    sent: tuple[Int, Int, Int, Int],
    received: tuple[Int, Int, Int, Int],
    step: Int,
    count: Int,
    channels: int,
) -> list[tuple[str, int]]:
    out, key_out, sending, send_from = sent
    into, key_in, receiving, receive_from = received
    sent_keys, got_keys = key_out[out], key_in[into]
    sizes_out = send_from[out + 1] - send_from[out]
    sizes_in = receive_from[into + 1] - receive_from[into]
    if np.array_equal(sent_keys, got_keys) and np.array_equal(sizes_out, sizes_in):
        return _uneven(program, sent, received, step, count, channels)
    problems = []
    found = dict(zip(got_keys.tolist(), zip(into.tolist(), sizes_in.tolist(), strict=True),
                     strict=True))  # fmt: skip
    for key, row, number in zip(sent_keys.tolist(), out.tolist(), sizes_out.tolist(), strict=True):
        other, expected = found.pop(key, (-1, 0))
        if number == expected:
            continue
        if number > expected:
            at = int(step[sending[send_from[row] + expected]])
        else:
            at = int(step[receiving[receive_from[other] + number]])
        problems.append(
            (
                f"{number} messages are sent {_name(key, program.ranks, channels)}"
                f" but {expected} received; {program.place(at)} is the first without a partner",
                at,
            )
        )
        if len(problems) == 8:
            return problems
    for key, (row, number) in found.items():
        at = int(step[receiving[receive_from[row]]])
        problems.append(
            (
                f"no message is sent {_name(key, program.ranks, channels)}"
                f" but {number} received; {program.place(at)} is the first without a partner",
                at,
            )
        )
        if len(problems) == 8:
            break
    return problems


def _uneven(
    program: Program,
    sent: tuple[Int, Int, Int, Int],
    received: tuple[Int, Int, Int, Int],
    step: Int,
    count: Int,
    channels: int,
) -> list[tuple[str, int]]:
    out, key_out, sending, send_from = sent
    into, _, receiving, receive_from = received
    peer = np.full(program.blocks, -1)
    peer[out] = into
    block = np.repeat(np.arange(program.blocks), np.diff(send_from))
    at = np.arange(len(sending)) - send_from[block] + receive_from[peer[block]]
    wrong = np.flatnonzero(count[sending] != count[receiving[at]])
    return [
        (
            f"{program.place(int(step[sending[row]]))} sends {count[sending[row]]} chunks"
            f" {_name(int(key_out[block[row]]), program.ranks, channels)} but"
            f" {program.place(int(step[receiving[at[row]]]))} receives"
            f" {count[receiving[at[row]]]}",
            int(step[sending[row]]),
        )
        for row in wrong[:8].tolist()
    ]

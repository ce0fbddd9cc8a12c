"""From MSCCL programs to native schedules, where such a schedule exists.

Every chunk of every message becomes one send of the chunk that its value belongs to. It adds at
its destination if the received value becomes a summand there, else it replaces. A native schedule
keeps one value for each (rank, chunk), so a program that keeps several (say, two partial sums of
one chunk on one rank) has none; the result is verified, and refused if it does not perform the
collective.
"""

from __future__ import annotations

import numpy as np

from certune.core import InvalidInput
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.dataflow import verify as verify_schedule
from certune.tasks.collective.msccl.compile import Code
from certune.tasks.collective.msccl.dataflow import Accesses, Flow, accesses, run
from certune.tasks.collective.msccl.memory import REDUCING, Memory
from certune.tasks.collective.msccl.order import Order
from certune.tasks.collective.msccl.program import Bool, Int
from certune.tasks.collective.msccl.sums import judge
from certune.tasks.collective.schedule import Schedule


def lift(code: Code, order: Order, memory: Memory) -> Schedule:
    """The native schedule that a verified program performs.

    Raises:
        InvalidInput: there is none (or none that this way finds), with the first difference.
    """
    found = accesses(code, memory)
    flow = run(code, order, memory, found)
    sent = np.flatnonzero(code.partner[found.operation] >= 0)
    value = flow.carried[sent]
    if np.any(value < 0):
        raise InvalidInput("the program sends what was never written")
    groups = np.concatenate((memory.groups(), judge(flow, memory).group))
    chunk = _native(memory, groups[value])
    receiver = code.partner[found.operation[sent]]
    arrival = found.begin[receiver] + found.part[sent]
    program = code.program
    source = program.rank[code.block[found.operation[sent]]]
    destination = program.rank[code.block[receiver]]
    reduce = _adds(code, flow, found, value, arrival, memory)
    moment = np.empty(code.operations, dtype=np.int64)
    moment[order.order] = np.arange(code.operations)
    chunks = int(chunk.max(initial=0)) + 1
    ends = (source * chunks + chunk, destination * chunks + chunk)
    steps = _steps(ends, reduce, arrival, sent, moment, found)
    used, step = np.unique(steps, return_inverse=True)
    rows = np.lexsort((chunk, destination, source, reduce, step))
    pieces = memory.pieces * (memory.ranks if memory.kind in ("gather", "scatter") else 1)
    schedule = Schedule(
        Collective(memory.kind, memory.ranks, pieces, memory.root),
        max(len(used), 1),
        step[rows].astype(np.int64),
        source[rows],
        destination[rows],
        chunk[rows],
        reduce[rows],
    )
    wrong = verify_schedule(schedule)
    if wrong is not None:
        raise InvalidInput(
            f"no native schedule performs this program step by step: {wrong.sentence}",
            remedy="a rank may keep two values of one chunk, which schedules cannot say",
        )
    return schedule


def _native(memory: Memory, group: Int) -> Int:
    """The native chunk of a group."""
    if memory.kind in REDUCING:
        return group
    rank = np.searchsorted(memory.first_value, group, side="right") - 1
    chunk: Int = group - memory.first_value[rank]
    if memory.kind in ("allgather", "gather"):
        return rank * (memory.pieces // (memory.ranks if memory.kind == "allgather" else 1)) + chunk
    if memory.kind == "alltoall":
        return rank * memory.pieces + chunk
    return chunk


def _adds(
    code: Code,
    flow: Flow,
    found: Accesses,
    value: Int,
    arrival: Int,
    memory: Memory,
) -> Bool:
    """Whether each message becomes a summand on the rank that receives it."""
    if not len(flow.left):
        return np.zeros(len(value), dtype=np.bool_)
    rank = code.program.rank[code.block[found.operation]]
    where = rank[flow.node_access]
    keys = np.unique(np.concatenate((flow.left, flow.right)) * memory.ranks + np.tile(where, 2))
    wanted = value * memory.ranks + rank[arrival]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    summed: Bool = keys[at] == wanted
    return summed


def _steps(
    ends: tuple[Int, Int], reduce: Bool, arrival: Int, sent: Int, moment: Int, found: Accesses
) -> Int:
    """A step for each message: a send follows the writes of its chunk on its rank before it, a
    receive follows the reads there before it or shares their step. Sums may share a step."""
    sources, targets = (end.tolist() for end in ends)
    adds = reduce.tolist()
    number = len(sent)
    when = np.concatenate((moment[found.operation[arrival]], moment[found.operation[sent]]))
    receives_first = np.arange(2 * number) >= number
    step = [0] * number
    written: dict[int, int] = {}  # first step that may read a pair
    replaced: dict[int, int] = {}  # first step that may add to a pair
    read: dict[int, int] = {}  # last step that reads a pair
    for event in np.lexsort((receives_first, when)).tolist():
        row = event % number
        source, target = sources[row], targets[row]
        earliest = max(read.get(target, 0), (replaced if adds[row] else written).get(target, 0))
        if event >= number:
            step[row] = max(earliest, written.get(source, 0))
        else:
            step[row] = max(earliest, step[row])
            written[target] = max(written.get(target, 0), step[row] + 1)
            if not adds[row]:
                replaced[target] = step[row] + 1
        read[source] = max(read.get(source, 0), step[row])
    return np.array(step, dtype=np.int64)

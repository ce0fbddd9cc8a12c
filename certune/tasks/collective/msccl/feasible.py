"""What no runtime could run, and what would not fit in memory."""

from __future__ import annotations

import numpy as np

from certune.core import InvalidInput
from certune.tasks.collective.msccl.program import KINDS, NOP, RECEIVES, SENDS, Program

MAX_OPERANDS = 12_000_000
MAX_CELLS = 2**25


def check(program: Program) -> None:
    """Refuse what no runtime could run and what would not fit in memory.

    Raises:
        InvalidInput: steps without a peer, dependences on thread blocks that do not exist, more
            chunks or operands than certune holds.
    """
    length = np.diff(program.first)
    kind = program.kind
    for needs, peer, verb in ((SENDS, program.send, "send"), (RECEIVES, program.receive, "recv")):
        wrong = needs[kind] & np.repeat(peer < 0, length)
        if wrong.any():
            step = int(np.argmax(wrong))
            raise InvalidInput(
                f"type {KINDS[kind[step]]} in a thread block without a {verb} peer",
                place=program.place(step),
                remedy=f"give the thread block {verb}=",
            )
    blocks_of_rank = np.bincount(program.rank, minlength=program.ranks)
    depends = program.depends
    there = np.repeat(blocks_of_rank[program.rank], length)
    wrong = (depends >= there) | ((depends >= 0) & (program.depends_step < 0))
    if wrong.any():
        step = int(np.argmax(wrong))
        raise InvalidInput(
            f"waits for step {program.depends_step[step]} of thread block {depends[step]},"
            f" but the rank has thread blocks 0 to {there[step] - 1}",
            place=program.place(step),
        )
    operands = int(program.count[kind != NOP].sum())
    if operands > MAX_OPERANDS:
        raise InvalidInput(f"steps on {operands} chunks", remedy=f"at most {MAX_OPERANDS}")
    chunks = int(program.chunks.sum()) + 2 * program.header.pieces * program.ranks
    if chunks > MAX_CELLS:
        raise InvalidInput(
            f"buffers of {chunks} chunks on all ranks", remedy=f"at most {MAX_CELLS}"
        )

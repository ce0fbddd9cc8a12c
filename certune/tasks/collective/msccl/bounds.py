"""Operands that lie outside the memory that a call provides, and writes to constant inputs."""

from __future__ import annotations

import numpy as np

from certune.core import Counterexample
from certune.tasks.collective.msccl.compile import Code
from certune.tasks.collective.msccl.memory import Memory
from certune.tasks.collective.msccl.program import (
    BUFFERS,
    INPUT,
    READS_SOURCE,
    WRITES,
    Int,
    chunk_range,
)


def outside(code: Code, memory: Memory) -> Counterexample | None:
    """The first operand that lies outside its buffer, if there is one."""
    program = code.program
    rank = program.rank[code.block]
    for uses, buffers, offsets, verb in (
        (READS_SOURCE, program.source, program.source_offset, "reads"),
        (WRITES, program.target, program.target_offset, "writes"),
    ):
        buffer, offset = buffers[code.step], offsets[code.step]
        size = memory.size[rank, buffer]
        wrong = uses[code.kind] & (code.count > 0)
        wrong &= (offset < 0) | (offset + code.count > size)
        if wrong.any():
            at = int(np.argmax(wrong))
            span = chunk_range(int(buffer[at]), int(offset[at]), max(int(code.count[at]), 1))
            letter = BUFFERS[int(buffer[at])]
            return Counterexample(
                f"{code.place(at)} {verb} {span}, but {letter} has {size[at]} chunks on that rank",
                {**program.coordinates(int(code.step[at])), "size": int(size[at])},
            )
    return None


def refused_offsets(code: Code) -> Int:
    """Operations whose first chunk the runtimes' own check refuses (rrc is never checked)."""
    program = code.program
    rank = program.rank[code.block]
    wrong = np.zeros(code.operations, dtype=np.bool_)
    unchecked = code.kind == 4  # rrc
    for uses, buffers, offsets in (
        (READS_SOURCE, program.source, program.source_offset),
        (WRITES, program.target, program.target_offset),
    ):
        buffer, offset = buffers[code.step], offsets[code.step]
        wrong |= uses[code.kind] & ~unchecked & (offset >= program.chunks[rank, buffer])
    return np.flatnonzero(wrong)


def writes_input(code: Code) -> Counterexample | None:
    """The first operation that writes the input, which is constant out of place."""
    program = code.program
    wrong = WRITES[code.kind] & (program.target[code.step] == INPUT) & (code.count > 0)
    if not wrong.any():
        return None
    at = int(np.argmax(wrong))
    step = int(code.step[at])
    span = chunk_range(INPUT, int(program.target_offset[step]), int(code.count[at]))
    return Counterexample(
        f"{code.place(at)} writes {span}; out of place the send buffer is constant",
        program.coordinates(step),
    )

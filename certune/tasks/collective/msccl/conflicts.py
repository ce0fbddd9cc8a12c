"""Which pairs of accesses to memory must be ordered for all conflicting ones to be."""

from __future__ import annotations

import numpy as np

from certune.tasks.collective.msccl.program import Bool, Int


def conflicts(cell: Int, writes: Bool) -> tuple[Int, Int]:
    """Pairs of positions whose order decides that of all conflicting accesses.

    `cell` and `writes` describe accesses sorted by cell and time. Each access must follow the
    write before it, each write all reads since; other conflicts follow from these.
    """
    number = len(cell)
    position = np.arange(number)
    begins = np.ones(number, dtype=np.bool_)
    begins[1:] = cell[1:] != cell[:-1]
    first = np.maximum.accumulate(np.where(begins, position, 0))
    write = np.maximum.accumulate(np.where(writes, position, -1))
    before = np.concatenate(([-1], write[:-1]))
    after_write = np.flatnonzero(before >= first)
    next_write = np.minimum.accumulate(np.where(writes, position, number)[::-1])[::-1]
    ends = np.append(np.flatnonzero(begins)[1:], number)
    end = ends[np.cumsum(begins) - 1]
    reads = np.flatnonzero(~writes & (next_write < end))
    return (
        np.concatenate((before[after_write], reads)),
        np.concatenate((after_write, next_write[reads])),
    )

"""An MSCCL program as its file gives it: ranks, thread blocks and steps, in columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Int = npt.NDArray[np.int64]
Small = npt.NDArray[np.int8]
Bool = npt.NDArray[np.bool_]

Protocol: TypeAlias = Literal["Simple", "LL", "LL128"]
Target: TypeAlias = Literal["microsoft", "azure", "rccl"]

PROTOCOLS: tuple[Protocol, ...] = ("Simple", "LL", "LL128")
TARGETS: tuple[Target, ...] = ("microsoft", "azure", "rccl")

KINDS = ("s", "r", "rcs", "rrs", "rrc", "rrcs", "cpy", "re", "nop")
S, R, RCS, RRS, RRC, RRCS, CPY, RE, NOP = range(9)
BUFFERS = ("i", "o", "s")
INPUT, OUTPUT, SCRATCH = range(3)


def _table(*kinds: int) -> Bool:
    table = np.zeros(len(KINDS), dtype=np.bool_)
    table[list(kinds)] = True
    return table


# What a step of each kind does; `re` reads its destination as well.
RECEIVES = _table(R, RCS, RRS, RRC, RRCS)
SENDS = _table(S, RCS, RRS, RRCS)
READS_SOURCE = _table(S, RRS, RRC, RRCS, CPY, RE)
WRITES = _table(R, RCS, RRC, RRCS, CPY, RE)
REDUCES = _table(RRS, RRC, RRCS, RE)


@dataclass(frozen=True)
class Header:
    """The attributes of ``<algo>``.

    `pieces` is ``nchunksperloop``: the number of equal pieces that the collective's buffer is
    cut in. Sizes are in bytes of that buffer. None where the file does not say.
    """

    name: str
    protocol: Protocol
    channels: int
    pieces: int
    ranks: int
    collective: str
    in_place: bool | None
    out_of_place: bool | None
    min_bytes: int | None = None
    max_bytes: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    line: int = 1


@dataclass(frozen=True, eq=False)
class Program:
    """What an MSCCL XML file says; thread blocks sorted by rank and id, steps in file order.

    chunks:      [ranks, 3] declared chunks of the input, output and scratch buffers
    rank_line:   [ranks] line of ``<gpu>``, 0 where there is no file
    rank, block, send, receive, channel, block_line: one entry a thread block; `send` and
                 `receive` are peers or -1
    first:       [blocks + 1] the steps of block b are first[b] … first[b + 1] - 1
    s, kind, source, source_offset, target, target_offset, count, depends, depends_step,
    signals, line: one entry a step; kinds and buffers index `KINDS` and `BUFFERS`
    unknown:     (line, name) of elements that the runtimes skip
    """

    header: Header
    chunks: Int
    rank_line: Int
    rank: Int
    block: Int
    send: Int
    receive: Int
    channel: Int
    block_line: Int
    first: Int
    s: Int
    kind: Small
    source: Small
    source_offset: Int
    target: Small
    target_offset: Int
    count: Int
    depends: Int
    depends_step: Int
    signals: Int
    line: Int
    unknown: tuple[tuple[int, str], ...] = ()

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return self.header.ranks

    @property
    def blocks(self) -> int:
        """Number of thread blocks of all ranks."""
        return len(self.rank)

    @property
    def steps(self) -> int:
        """Number of steps of all thread blocks, nops included."""
        return len(self.kind)

    def block_of(self, step: int) -> int:
        """The thread block (row of the block columns) that a step belongs to."""
        return int(np.searchsorted(self.first, step, side="right")) - 1

    def place(self, step: int) -> str:
        """A step as people name it: ``rank 3, thread block 1, step 4 (line 88)``."""
        block = self.block_of(step)
        where = f"rank {self.rank[block]}, thread block {self.block[block]}, step {self.s[step]}"
        line = int(self.line[step])
        return f"{where} (line {line})" if line else where

    def coordinates(self, step: int) -> dict[str, int]:
        """A step as data: rank, thread block, step and line of the file (0 without a file)."""
        block = self.block_of(step)
        return {
            "rank": int(self.rank[block]),
            "tb": int(self.block[block]),
            "step": int(self.s[step]),
            "line": int(self.line[step]),
        }


def chunk_range(buffer: int, offset: int, count: int) -> str:
    """Chunks as people name them: ``i[3]`` or ``s[4..7]``."""
    letter = BUFFERS[buffer]
    return f"{letter}[{offset}]" if count == 1 else f"{letter}[{offset}..{offset + count - 1}]"


def describe(program: Program, step: int) -> str:
    """What a step does, in a few words: ``sends i[3] to rank 2 on channel 0``."""
    kind = int(program.kind[step])
    block = program.block_of(step)
    count = int(program.count[step])
    source = chunk_range(int(program.source[step]), int(program.source_offset[step]), count)
    target = chunk_range(int(program.target[step]), int(program.target_offset[step]), count)
    peer_in = f"from rank {program.receive[block]}"
    peer_out = f"to rank {program.send[block]}"
    on = f"on channel {program.channel[block]}"
    return {
        S: f"sends {source} {peer_out} {on}",
        R: f"receives {target} {peer_in} {on}",
        RCS: f"receives {target} {peer_in} and passes it on {peer_out} {on}",
        RRS: f"receives {peer_in}, adds {source}, sends the sum {peer_out} {on}",
        RRC: f"receives {peer_in}, adds {source}, keeps the sum in {target} {on}",
        RRCS: f"receives {peer_in}, adds {source}, keeps the sum in {target} and sends it"
        f" {peer_out} {on}",
        CPY: f"copies {source} to {target}",
        RE: f"adds {source} to {target}",
        NOP: "waits",
    }[kind]

"""Where chunks of a native schedule lie in the buffers of a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from certune.tasks.collective.collective import Collective
from certune.tasks.collective.mscclpp.plan import Buffer

Place: TypeAlias = tuple[Buffer, int]


@dataclass(frozen=True)
class Layout:
    """Buffers of `collective`, in place or not; a place is a buffer and a chunk of it."""

    collective: Collective
    inplace: bool

    @property
    def share(self) -> int:
        """Pieces of one rank where pieces have owners."""
        return self.collective.pieces // self.collective.ranks

    @property
    def inputs(self) -> int:
        """Chunks of the input."""
        return self.share if self.collective.kind == "allgather" else self.collective.pieces

    @property
    def outputs(self) -> int:
        """Chunks of the output."""
        return self.share if self.collective.kind == "reduce-scatter" else self.collective.pieces

    def initial(self) -> Iterator[tuple[int, int]]:
        """Who holds what at the start."""
        ranks, chunks = self.collective.before()
        return zip(ranks.tolist(), chunks.tolist(), strict=True)

    def start(self, rank: int, chunk: int) -> Place:
        """Where a chunk lies that the rank holds at the start."""
        kind = self.collective.kind
        if kind == "allgather":
            return ("o", chunk) if self.inplace else ("i", chunk % self.share)
        return ("i", chunk % self.collective.pieces)

    def final(self, rank: int, chunk: int) -> Place | None:
        """Where the rank must hold the chunk at the end; None where it need not."""
        kind, pieces = self.collective.kind, self.collective.pieces
        if kind == "allreduce":
            return ("i" if self.inplace else "o", chunk)
        if kind == "allgather":
            return ("o", chunk)
        if self.collective.owner(chunk) != rank:
            return None
        if kind == "reduce-scatter":
            return ("i", chunk) if self.inplace else ("o", chunk % self.share)
        source, piece = divmod(chunk, pieces)
        place = source * self.share + piece % self.share
        return ("i" if self.inplace else "o", place)

    def resting(self, rank: int, chunk: int) -> Place | None:
        """Where the rank keeps the chunk on its way; None where it stays in its slot.

        In an all-to-all in place the final places are full of what is still to be sent.
        """
        kind = self.collective.kind
        if kind == "alltoall":
            return None if self.inplace else self.final(rank, chunk)
        if kind == "reduce-scatter" and self.inplace:
            return ("i", chunk)
        return self.final(rank, chunk)

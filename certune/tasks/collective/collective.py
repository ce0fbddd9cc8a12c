"""Collectives as data: which rank holds what before, and must hold what after.

The buffer of a collective (NCCL's `count * sizeMultiplier` elements, the bytes that nccl-tests
reports) is cut into `pieces` equal pieces. A *chunk* is one piece of data with an identity:

| collective      | chunks           | before                      | after                        |
|-----------------|------------------|-----------------------------|------------------------------|
| allgather       | pieces           | k at its owner              | every k everywhere           |
| reduce-scatter  | pieces, reduced  | own contribution everywhere | the sum of k at its owner    |
| allreduce       | pieces, reduced  | own contribution everywhere | every sum everywhere         |
| broadcast       | pieces           | every k at the root         | every k everywhere           |
| reduce          | pieces, reduced  | own contribution everywhere | every sum at the root        |
| gather          | pieces           | k at its owner              | every k at the root          |
| scatter         | pieces           | every k at the root         | k at its owner               |
| alltoall        | ranks * pieces   | chunk r*pieces + k at r     | that chunk at the owner of k |

The owner of piece k is rank ``k // (pieces // ranks)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args, overload

import numpy as np
import numpy.typing as npt

from certune.core import InvalidInput
from certune.core.errors import nearest

Kind: TypeAlias = Literal[
    "allgather",
    "reduce-scatter",
    "allreduce",
    "broadcast",
    "reduce",
    "gather",
    "scatter",
    "alltoall",
]

KINDS: tuple[Kind, ...] = get_args(Kind)
REDUCING: frozenset[Kind] = frozenset(("reduce-scatter", "allreduce", "reduce"))
ROOTED: frozenset[Kind] = frozenset(("broadcast", "reduce", "gather", "scatter"))
OWNED: frozenset[Kind] = frozenset(("allgather", "reduce-scatter", "gather", "scatter", "alltoall"))

MAX_RANKS = 4096
MAX_LOCATIONS = 2**24  # ranks * pieces: what a verifier may have to look at

Int = npt.NDArray[np.int64]

_REVERSED: dict[Kind, Kind] = {
    "allgather": "reduce-scatter",
    "reduce-scatter": "allgather",
    "broadcast": "reduce",
    "reduce": "broadcast",
    "gather": "scatter",
    "scatter": "gather",
    "allreduce": "allreduce",
    "alltoall": "alltoall",
}


def reversed_kind(kind: Kind) -> Kind:
    """The collective that a schedule performs when it is run backwards on the reversed topology.

    Copies become reductions and the reverse (allgather ↔ reduce-scatter, broadcast ↔ reduce,
    gather ↔ scatter); allreduce and alltoall are their own.
    """
    return _REVERSED[kind]


@dataclass(frozen=True)
class Collective:
    """A collective over `ranks` ranks whose buffer is cut into `pieces` pieces.

    Raises:
        InvalidInput: an unknown kind, a number out of range, pieces that do not divide evenly
            among the ranks where each piece has an owner.
    """

    kind: Kind
    ranks: int
    pieces: int
    root: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInput(
                f"unknown collective {self.kind!r}",
                place="collective",
                remedy=nearest(str(self.kind), KINDS),
            )
        if not 2 <= self.ranks <= MAX_RANKS:
            raise InvalidInput(
                f"{self.ranks} ranks", place="ranks", remedy=f"give 2 to {MAX_RANKS}"
            )
        if not 1 <= self.pieces <= MAX_LOCATIONS // self.ranks:
            raise InvalidInput(
                f"{self.pieces} pieces over {self.ranks} ranks",
                place="pieces",
                remedy=f"give 1 to {MAX_LOCATIONS // self.ranks}",
            )
        if self.kind in OWNED and self.pieces % self.ranks:
            raise InvalidInput(
                f"{self.pieces} pieces cannot be divided among {self.ranks} ranks",
                place="pieces",
                remedy=f"{self.kind} needs a multiple of {self.ranks}",
            )
        if self.kind not in ROOTED and self.root:
            raise InvalidInput(
                f"{self.kind} has no root", place="root", remedy="leave the root out"
            )
        if not 0 <= self.root < self.ranks:
            raise InvalidInput(
                f"root {self.root} is no rank", place="root", remedy=f"give 0 to {self.ranks - 1}"
            )

    @property
    def chunks(self) -> int:
        """How many chunk identities there are; they are numbered from 0."""
        return self.ranks * self.pieces if self.kind == "alltoall" else self.pieces

    @property
    def reducing(self) -> bool:
        """Whether chunks are sums of one contribution of every rank."""
        return self.kind in REDUCING

    @property
    def rooted(self) -> bool:
        """Whether the collective has a root."""
        return self.kind in ROOTED

    @overload
    def owner(self, chunk: int) -> int: ...
    @overload
    def owner(self, chunk: Int) -> Int: ...
    def owner(self, chunk: int | Int) -> int | Int:
        """The rank that owns the piece of `chunk`; elementwise for an array.

        Raises:
            InvalidInput: pieces of this collective have no owner (broadcast, reduce, allreduce).
        """
        if self.kind not in OWNED:
            raise InvalidInput(f"the pieces of {self.kind} have no owner", place="collective")
        return (chunk % self.pieces) // (self.pieces // self.ranks)

    def before(self) -> tuple[Int, Int]:
        """Who holds what at the start: ranks and chunks, pair by pair, ordered by chunk.

        For a reducing collective every rank holds its own contribution to every chunk.
        """
        chunks = np.arange(self.chunks, dtype=np.int64)
        if self.reducing:
            return self._everywhere()
        if self.kind in ("broadcast", "scatter"):
            return np.full_like(chunks, self.root), chunks
        if self.kind == "alltoall":
            return chunks // self.pieces, chunks
        return self.owner(chunks), chunks

    def after(self) -> tuple[Int, Int]:
        """Who must hold what at the end: ranks and chunks, pair by pair, ordered by chunk.

        For a reducing collective what is held must be the sum of all contributions.
        """
        if self.kind in ("allgather", "allreduce", "broadcast"):
            return self._everywhere()
        chunks = np.arange(self.chunks, dtype=np.int64)
        if self.kind in ("reduce", "gather"):
            return np.full_like(chunks, self.root), chunks
        return self.owner(chunks), chunks

    def _everywhere(self) -> tuple[Int, Int]:
        ranks = np.arange(self.ranks, dtype=np.int64)
        chunks = np.arange(self.chunks, dtype=np.int64)
        return np.tile(ranks, self.chunks), np.repeat(chunks, self.ranks)

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
from typing import Literal, TypeAlias

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


@dataclass(frozen=True)
class Collective:
    """A collective over `ranks` ranks whose buffer is cut into `pieces` pieces."""

    kind: Kind
    ranks: int
    pieces: int
    root: int = 0

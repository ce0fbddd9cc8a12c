"""Which chunk a rank sends at a step of a ring allgather, for every number of ranks.

What a rank sends at a step is what it received at the step before, and it comes from its left.
"""

from certune.contracts import ensure, lemma, require, spec


@spec
@require(lambda ranks, rank, step: ranks > 0 and 0 <= rank < ranks and 0 <= step < ranks)
@ensure(lambda ranks, result: 0 <= result < ranks)
def chunk(ranks: int, rank: int, step: int) -> int:
    return rank - step if rank >= step else rank - step + ranks


@spec
@require(lambda ranks, rank: ranks > 0 and 0 <= rank < ranks)
@ensure(lambda ranks, result: 0 <= result < ranks)
def left(ranks: int, rank: int) -> int:
    return rank - 1 if rank > 0 else ranks - 1


@lemma
@require(lambda ranks, rank, step: ranks > 1 and 0 <= rank < ranks and 0 < step < ranks)
@ensure(
    lambda ranks, rank, step: chunk(ranks, rank, step) == chunk(ranks, left(ranks, rank), step - 1)
)
def passed_on(ranks: int, rank: int, step: int) -> None:
    pass


@require(lambda ranks, rank, step: ranks > 0 and 0 <= rank < ranks and 0 <= step < ranks)
@ensure(lambda ranks, rank, step, result: result == chunk(ranks, rank, step))
def send_chunk(ranks: int, rank: int, step: int) -> int:
    return (rank - step + ranks) % ranks

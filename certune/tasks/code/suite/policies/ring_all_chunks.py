"""After all steps of a ring allgather a rank has every chunk, for every number of ranks."""

from certune.contracts import ensure, invariant, require


@require(lambda ranks, rank: ranks > 0 and 0 <= rank < ranks)
@ensure(lambda ranks, result: len(result) == ranks and all(h for h in result))
def held(ranks: int, rank: int) -> list[bool]:
    have = [False] * ranks
    for step in range(ranks):
        invariant(len(have) == ranks)
        invariant(all(have[c] for c in range(max(0, rank - step + 1), rank + 1)))
        invariant(all(have[c] for c in range(rank - step + 1 + ranks, ranks)))
        chunk = rank - step
        if chunk < 0:
            chunk = chunk + ranks
        have[chunk] = True
    return have

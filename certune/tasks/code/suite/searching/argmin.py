"""The first place of a smallest element: the least loaded of several servers."""

from certune.contracts import ensure, invariant, require


@require(lambda load: len(load) > 0)
@ensure(lambda load, result: 0 <= result < len(load))
@ensure(lambda load, result: all(load[result] <= x for x in load))
@ensure(lambda load, result: all(load[i] > load[result] for i in range(result)))
def argmin(load: list[int]) -> int:
    best = 0
    for i in range(1, len(load)):
        invariant(0 <= best < i)
        invariant(all(load[best] <= load[j] for j in range(i)))
        invariant(all(load[j] > load[best] for j in range(best)))
        if load[i] < load[best]:
            best = i
    return best

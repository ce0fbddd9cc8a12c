"""The largest element of a list that has one."""

from certune.contracts import ensure, invariant, require


@require(lambda xs: len(xs) > 0)
@ensure(lambda xs, result: all(x <= result for x in xs))
@ensure(lambda xs, result: any(x == result for x in xs))
def maximum(xs: list[int]) -> int:
    best = xs[0]
    for i in range(1, len(xs)):
        invariant(all(xs[j] <= best for j in range(i)))
        invariant(any(xs[j] == best for j in range(i)))
        if xs[i] > best:
            best = xs[i]
    return best

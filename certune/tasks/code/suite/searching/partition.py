"""Quicksort's partition: smaller elements first, in place."""

from certune.contracts import ensure, invariant, modifies, old, permutation


@modifies("xs")
@ensure(lambda xs, result: 0 <= result <= len(xs))
@ensure(lambda xs, pivot, result: all(xs[i] < pivot for i in range(result)))
@ensure(lambda xs, pivot, result: all(xs[i] >= pivot for i in range(result, len(xs))))
@ensure(lambda xs: permutation(xs, old(xs)))
def partition(xs: list[int], pivot: int) -> int:
    border = 0
    for k in range(len(xs)):
        invariant(0 <= border <= k)
        invariant(all(xs[i] < pivot for i in range(border)))
        invariant(all(xs[i] >= pivot for i in range(border, k)))
        invariant(permutation(xs, old(xs)))
        if xs[k] < pivot:
            xs[border], xs[k] = xs[k], xs[border]
            border += 1
    return border

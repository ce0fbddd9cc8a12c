"""Sorting by selection: the smallest of the rest goes next."""

from certune.contracts import ensure, invariant, modifies, old, permutation


@modifies("xs")
@ensure(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@ensure(lambda xs: permutation(xs, old(xs)))
def selection_sort(xs: list[int]) -> None:
    for k in range(len(xs)):
        invariant(all(xs[i] <= xs[j] for i in range(k) for j in range(i, len(xs))))
        invariant(permutation(xs, old(xs)))
        least = k
        for j in range(k + 1, len(xs)):
            invariant(k <= least < len(xs) and least < j)
            invariant(all(xs[least] <= xs[i] for i in range(k, j)))
            if xs[j] < xs[least]:
                least = j
        xs[k], xs[least] = xs[least], xs[k]

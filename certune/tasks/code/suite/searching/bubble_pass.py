"""One pass of bubble sort brings the largest element to the end and loses none."""

from certune.contracts import ensure, invariant, modifies, old, permutation, require


@require(lambda xs: len(xs) > 0)
@modifies("xs")
@ensure(lambda xs: all(x <= xs[len(xs) - 1] for x in xs))
@ensure(lambda xs: permutation(xs, old(xs)))
def bubble_pass(xs: list[int]) -> None:
    for k in range(len(xs) - 1):
        invariant(all(xs[i] <= xs[k] for i in range(k)))
        invariant(permutation(xs, old(xs)))
        if xs[k] > xs[k + 1]:
            xs[k], xs[k + 1] = xs[k + 1], xs[k]

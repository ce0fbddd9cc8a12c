"""Sorting by insertion: the result is in order and holds the same elements."""

from certune.contracts import decreases, ensure, invariant, modifies, old, permutation


@modifies("xs")
@ensure(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@ensure(lambda xs: permutation(xs, old(xs)))
def insertion_sort(xs: list[int]) -> None:
    for k in range(len(xs)):
        invariant(all(xs[i] <= xs[j] for i in range(k) for j in range(i, k)))
        invariant(permutation(xs, old(xs)))
        place = k
        while place > 0 and xs[place - 1] > xs[place]:
            invariant(0 <= place <= k)
            invariant(all(xs[i] <= xs[j] for i in range(place) for j in range(i, place)))
            invariant(all(xs[i] <= xs[j] for i in range(place, k + 1) for j in range(i, k + 1)))
            invariant(all(xs[i] <= xs[j] for i in range(place) for j in range(place + 1, k + 1)))
            invariant(permutation(xs, old(xs)))
            decreases(place)
            xs[place - 1], xs[place] = xs[place], xs[place - 1]
            place -= 1

"""A list turned around in place."""

from certune.contracts import decreases, ensure, invariant, modifies, old


@modifies("xs")
@ensure(lambda xs: len(xs) == len(old(xs)))
@ensure(lambda xs: all(xs[i] == old(xs)[len(xs) - 1 - i] for i in range(len(xs))))
def reverse_in_place(xs: list[int]) -> None:
    low = 0
    high = len(xs) - 1
    while low < high:
        invariant(0 <= low and high == len(xs) - 1 - low)
        invariant(low <= high + 1)
        invariant(all(xs[i] == old(xs)[len(xs) - 1 - i] for i in range(low)))
        invariant(all(xs[i] == old(xs)[i] for i in range(low, high + 1)))
        invariant(all(xs[i] == old(xs)[len(xs) - 1 - i] for i in range(high + 1, len(xs))))
        decreases(high - low)
        xs[low], xs[high] = xs[high], xs[low]
        low += 1
        high -= 1

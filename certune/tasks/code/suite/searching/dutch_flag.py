"""Three colours in order, in one pass and in place (Dijkstra)."""

from certune.contracts import decreases, ensure, invariant, modifies, old, permutation, require


@require(lambda xs: all(0 <= x <= 2 for x in xs))
@modifies("xs")
@ensure(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@ensure(lambda xs: permutation(xs, old(xs)))
def dutch_flag(xs: list[int]) -> None:
    low = 0
    k = 0
    high = len(xs)
    while k < high:
        invariant(0 <= low <= k <= high <= len(xs))
        invariant(all(xs[i] == 0 for i in range(low)))
        invariant(all(xs[i] == 1 for i in range(low, k)))
        invariant(all(0 <= xs[i] <= 2 for i in range(k, high)))
        invariant(all(xs[i] == 2 for i in range(high, len(xs))))
        invariant(permutation(xs, old(xs)))
        decreases(high - k)
        if xs[k] == 0:
            xs[low], xs[k] = xs[k], xs[low]
            low += 1
            k += 1
        elif xs[k] == 1:
            k += 1
        else:
            high -= 1
            xs[k], xs[high] = xs[high], xs[k]

"""Where a value belongs in a sorted list: before it all is smaller, from there on nothing is."""

from certune.contracts import decreases, ensure, invariant, require


@require(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@ensure(lambda xs, result: 0 <= result <= len(xs))
@ensure(lambda xs, key, result: all(xs[i] < key for i in range(result)))
@ensure(lambda xs, key, result: all(xs[i] >= key for i in range(result, len(xs))))
def lower_bound(xs: list[int], key: int) -> int:
    low = 0
    high = len(xs)
    while low < high:
        invariant(0 <= low <= high <= len(xs))
        invariant(all(xs[i] < key for i in range(low)))
        invariant(all(xs[i] >= key for i in range(high, len(xs))))
        decreases(high - low)
        middle = low + (high - low) // 2
        if xs[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low

"""The place of a value in a sorted list, or -1."""

from certune.contracts import decreases, ensure, invariant, require


@require(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@ensure(lambda xs, result: -1 <= result < len(xs))
@ensure(lambda xs, key, result: result == -1 or xs[result] == key)
@ensure(lambda xs, key, result: result != -1 or all(x != key for x in xs))
def binary_search(xs: list[int], key: int) -> int:
    low = 0
    high = len(xs)
    while low < high:
        invariant(0 <= low <= high <= len(xs))
        invariant(all(xs[i] < key for i in range(low)))
        invariant(all(xs[i] > key for i in range(high, len(xs))))
        decreases(high - low)
        middle = (low + high) // 2
        if xs[middle] < key:
            low = middle + 1
        elif xs[middle] > key:
            high = middle
        else:
            return middle
    return -1

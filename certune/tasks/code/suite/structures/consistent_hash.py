"""Consistent hashing: the first node at or after a key on the sorted ring, else the first of all."""

from certune.contracts import decreases, ensure, invariant, require


@require(lambda ring: len(ring) > 0)
@require(
    lambda ring: all(ring[i] < ring[j] for i in range(len(ring)) for j in range(i + 1, len(ring)))
)
@ensure(lambda ring, result: 0 <= result < len(ring))
@ensure(
    lambda ring, key, result: (
        ring[result] >= key or (result == 0 and all(node < key for node in ring))
    )
)
@ensure(lambda ring, key, result: all(ring[i] < key for i in range(result)))
def owner(ring: list[int], key: int) -> int:
    low = 0
    high = len(ring)
    while low < high:
        invariant(0 <= low <= high <= len(ring))
        invariant(all(ring[i] < key for i in range(low)))
        invariant(all(ring[i] >= key for i in range(high, len(ring))))
        decreases(high - low)
        middle = (low + high) // 2
        if ring[middle] < key:
            low = middle + 1
        else:
            high = middle
    if low == len(ring):
        return 0
    return low

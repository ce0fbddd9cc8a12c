"""Whether a memory range is free: it overlaps none of the ranges that are taken."""

from certune.contracts import ensure, invariant, require


@require(lambda starts, ends: len(starts) == len(ends))
@require(lambda starts, ends: all(starts[i] < ends[i] for i in range(len(starts))))
@require(lambda low, high: low < high)
@ensure(
    lambda starts, ends, low, high, result: (
        result == all(high <= starts[i] or ends[i] <= low for i in range(len(starts)))
    )
)
def is_free(starts: list[int], ends: list[int], low: int, high: int) -> bool:
    for i in range(len(starts)):
        invariant(all(high <= starts[j] or ends[j] <= low for j in range(i)))
        if starts[i] < high and low < ends[i]:
            return False
    return True

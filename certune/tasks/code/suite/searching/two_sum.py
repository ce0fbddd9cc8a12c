"""Whether two places of a sorted list add up to a target: two pointers, no pair overlooked."""

from certune.contracts import decreases, ensure, invariant, require


@require(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@ensure(
    lambda xs, target, result: (
        result
        == any(xs[i] + xs[j] == target for i in range(len(xs)) for j in range(i + 1, len(xs)))
    )
)
def two_sum(xs: list[int], target: int) -> bool:
    low = 0
    high = len(xs) - 1
    while low < high:
        invariant(0 <= low and high < len(xs))
        invariant(all(xs[i] + xs[j] != target for i in range(low) for j in range(i + 1, len(xs))))
        invariant(
            all(
                xs[i] + xs[j] != target
                for i in range(low, len(xs))
                for j in range(max(i, high) + 1, len(xs))
            )
        )
        decreases(high - low)
        if xs[low] + xs[high] == target:
            return True
        if xs[low] + xs[high] < target:
            low += 1
        else:
            high -= 1
    return False

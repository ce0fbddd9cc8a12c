"""The distinct elements of a sorted list, still in order."""

from certune.contracts import ensure, invariant, require


@require(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@ensure(
    lambda result: all(
        result[i] < result[j] for i in range(len(result)) for j in range(i + 1, len(result))
    )
)
@ensure(lambda xs, result: all(any(r == x for r in result) for x in xs))
@ensure(lambda xs, result: all(any(r == x for x in xs) for r in result))
def remove_duplicates(xs: list[int]) -> list[int]:
    kept: list[int] = []
    for k in range(len(xs)):
        invariant(all(kept[i] < kept[j] for i in range(len(kept)) for j in range(i + 1, len(kept))))
        invariant(all(any(r == xs[i] for r in kept) for i in range(k)))
        invariant(all(any(r == xs[i] for i in range(k)) for r in kept))
        invariant(k == 0 or (len(kept) > 0 and kept[len(kept) - 1] == xs[k - 1]))
        if k == 0 or xs[k] != xs[k - 1]:
            kept.append(xs[k])
    return kept

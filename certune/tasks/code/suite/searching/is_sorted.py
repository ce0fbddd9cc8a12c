"""Whether a list is in ascending order: neighbours are looked at, all pairs are meant."""

from certune.contracts import ensure, invariant


@ensure(
    lambda xs, result: (
        result == all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs)))
    )
)
def is_sorted(xs: list[int]) -> bool:
    for k in range(len(xs)):
        invariant(all(xs[i] <= xs[j] for i in range(k) for j in range(i, k)))
        if k > 0 and xs[k - 1] > xs[k]:
            return False
    return True

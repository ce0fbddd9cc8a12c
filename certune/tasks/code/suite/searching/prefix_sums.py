"""All partial sums of a list, as an exclusive scan has them."""

from certune.contracts import ensure, invariant


@ensure(lambda xs, result: len(result) == len(xs) + 1)
@ensure(lambda xs, result: all(result[k] == sum(xs[:k]) for k in range(len(xs) + 1)))
def prefix_sums(xs: list[int]) -> list[int]:
    sums = [0]
    for i in range(len(xs)):
        invariant(len(sums) == i + 1)
        invariant(all(sums[k] == sum(xs[:k]) for k in range(i + 1)))
        sums.append(sums[i] + xs[i])
    return sums

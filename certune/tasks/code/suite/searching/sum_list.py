"""The sum of a list, element by element."""

from certune.contracts import ensure, invariant


@ensure(lambda xs, result: result == sum(xs))
def sum_list(xs: list[int]) -> int:
    total = 0
    for i in range(len(xs)):
        invariant(total == sum(xs[:i]))
        total += xs[i]
    return total

"""The first place of a value in a list, or its length."""

from certune.contracts import ensure, invariant


@ensure(lambda xs, result: 0 <= result <= len(xs))
@ensure(lambda xs, key, result: result == len(xs) or xs[result] == key)
@ensure(lambda xs, key, result: all(xs[i] != key for i in range(result)))
def linear_search(xs: list[int], key: int) -> int:
    for i in range(len(xs)):
        invariant(all(xs[j] != key for j in range(i)))
        if xs[i] == key:
            return i
    return len(xs)

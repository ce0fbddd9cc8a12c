"""How often a value occurs."""

from certune.contracts import ensure, invariant


@ensure(lambda xs, key, result: result == xs.count(key))
def count_matches(xs: list[int], key: int) -> int:
    found = 0
    for i in range(len(xs)):
        invariant(found == xs[:i].count(key))
        if xs[i] == key:
            found += 1
    return found

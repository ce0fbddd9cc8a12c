"""How many bits of a word are set, one at a time."""

from certune.contracts import decreases, ensure, invariant, spec


@spec
def ones(x: int) -> int:
    decreases(x)
    return 0 if x <= 0 else x % 2 + ones(x // 2)


@ensure(lambda x, result: result == ones(x))
def popcount(x: int) -> int:
    rest = x
    count = 0
    while rest > 0:
        invariant(count + ones(rest) == ones(x))
        decreases(rest)
        count += rest % 2
        rest = rest // 2
    return count

"""The smallest power of two that is at least n, found by doubling."""

from certune.contracts import decreases, ensure, invariant, require, spec


@spec
@require(lambda k: k >= 0)
@ensure(lambda result: result >= 1)
def power(k: int) -> int:
    decreases(k)
    return 1 if k == 0 else 2 * power(k - 1)


@require(lambda n: n >= 1)
@ensure(lambda n, result: result >= 0 and power(result) >= n)
@ensure(lambda n, result: result == 0 or power(result - 1) < n)
def next_power_of_two(n: int) -> int:
    value = 1
    exponent = 0
    while value < n:
        invariant(exponent >= 0)
        invariant(value == power(exponent))
        invariant(value >= 1)
        invariant(exponent == 0 or power(exponent - 1) < n)
        decreases(n - value)
        value = value * 2
        exponent = exponent + 1
    return exponent

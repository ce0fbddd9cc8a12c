"""The greatest common divisor by Euclid's loop, against his recursion."""

from certune.contracts import decreases, ensure, invariant, require, spec


@spec
@require(lambda a, b: a >= 0 and b >= 0)
@ensure(lambda result: result >= 0)
def euclid(a: int, b: int) -> int:
    decreases(b)
    return a if b == 0 else euclid(b, a % b)


@require(lambda a, b: a >= 0 and b >= 0)
@ensure(lambda a, b, result: result == euclid(a, b))
def gcd(a: int, b: int) -> int:
    x = a
    y = b
    while y != 0:
        invariant(x >= 0 and y >= 0)
        invariant(euclid(x, y) == euclid(a, b))
        decreases(y)
        x, y = y, x % y
    return x

"""The integer square root, by counting up with a running square."""

from certune.contracts import decreases, ensure, invariant, require


@require(lambda n: n >= 0)
@ensure(lambda n, result: result >= 0 and result * result <= n)
@ensure(lambda n, result: n < (result + 1) * (result + 1))
def integer_sqrt(n: int) -> int:
    root = 0
    square = 1
    while square <= n:
        invariant(root >= 0)
        invariant(square == (root + 1) * (root + 1))
        invariant(root * root <= n)
        decreases(n - root)
        root += 1
        square += 2 * root + 1
    return root

"""Functions that break their contracts."""

from certune.contracts import decreases, ensure, i32, invariant, modifies, require, spec, u32


@require(lambda a, b: a <= b)
@ensure(lambda a, b, result: a <= result <= b)
def midpoint(a: u32, b: u32) -> u32:
    return (a + b) // 2


@require(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@ensure(lambda xs, key, result: result == -1 or xs[result] == key)
@ensure(lambda xs, key, result: result != -1 or all(x != key for x in xs))
def binary_search(xs: list[int], key: int) -> int:
    low = 0
    high = len(xs)
    while low < high:
        invariant(0 <= low <= high <= len(xs))
        invariant(all(xs[i] < key for i in range(low)))
        invariant(all(xs[i] > key for i in range(high, len(xs))))
        decreases(high - low)
        middle = (low + high) // 2
        if xs[middle] < key:
            low = middle + 1
        elif xs[middle] > key:
            high = middle - 1
        else:
            return middle
    return -1


@require(lambda xs: len(xs) > 0)
@ensure(lambda xs, result: all(x <= result for x in xs))
def biggest(xs: list[int]) -> int:
    m = 0
    for i in range(1, len(xs)):
        invariant(all(xs[k] <= m for k in range(i)))
        if xs[i] > m:
            m = xs[i]
    return m


@require(lambda b: b > 0)
@require(lambda a: a >= 0)
@ensure(lambda a, b, result: result[0] * b + result[1] == a and 0 <= result[1] < b)
def divmod_(a: int, b: int) -> tuple[int, int]:
    q = 0
    r = a
    while r > b:
        invariant(q * b + r == a and r >= 0)
        q += 1
        r -= b
    return q, r


@ensure(lambda x, result: result == x)
def spin(x: int) -> int:
    y = x
    while y > 0:
        invariant(True)
        decreases(y)
        y = y
    return x


@ensure(lambda x, result: result >= 0)
def absolute(x: i32) -> i32:
    if x < 0:
        return -x
    return x


@ensure(lambda x, result: result == 12345678901)
@require(lambda x: x * x == 15129)
def hard(x: int) -> int:
    return 12345678901 if x < 0 else 7


@ensure(lambda xs: all(xs[k] <= xs[k + 1] for k in range(len(xs) - 1)))
@modifies("xs")
def bad_sort(xs: list[int]) -> None:
    for i in range(len(xs) - 1):
        if xs[i] > xs[i + 1]:
            xs[i], xs[i + 1] = xs[i + 1], xs[i]


@spec
def inf(n: int) -> int:
    decreases(n)
    return inf(n) + 1


@ensure(lambda: False)
def use() -> int:
    assert inf(0) == inf(0)
    return 0

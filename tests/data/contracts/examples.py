"""Functions with contracts that are proved."""

from dataclasses import dataclass

from certune.contracts import (
    decreases,
    ensure,
    invariant,
    modifies,
    old,
    permutation,
    require,
    spec,
    u8,
    u32,
)


@dataclass
class Ring:
    buf: list[u32]
    head: int
    count: int


@spec
def valid(r: Ring) -> bool:
    return len(r.buf) > 0 and 0 <= r.head < len(r.buf) and 0 <= r.count <= len(r.buf)


@require(lambda r: valid(r) and r.count < len(r.buf))
@ensure(lambda r: valid(r))
@ensure(lambda r: r.count == old(r).count + 1 and r.head == old(r).head)
@ensure(lambda r, x: r.buf[(r.head + r.count - 1) % len(r.buf)] == x)
@modifies("r")
def push(r: Ring, x: u32) -> None:
    i = (r.head + r.count) % len(r.buf)
    r.buf[i] = x
    r.count += 1


@require(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@ensure(lambda xs, result: -1 <= result < len(xs))
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
            high = middle
        else:
            return middle
    return -1


@ensure(lambda a, b, result: result == min(a + b, u32.MAX))
def sat_add(a: u32, b: u32) -> u32:
    if a > u32.MAX - b:
        return u32.MAX
    return a + b


@require(lambda xs: len(xs) > 0)
@ensure(lambda xs, result: all(x <= result for x in xs))
@ensure(lambda xs, result: result in xs)
def biggest(xs: list[int]) -> int:
    m = xs[0]
    for i in range(1, len(xs)):
        invariant(all(xs[k] <= m for k in range(i)))
        invariant(any(xs[k] == m for k in range(i)))
        if xs[i] > m:
            m = xs[i]
    return m


@ensure(lambda xs: all(xs[k] <= xs[k + 1] for k in range(len(xs) - 1)))
@ensure(lambda xs: permutation(xs, old(xs)))
@modifies("xs")
def insertion_sort(xs: list[int]) -> None:
    for i in range(len(xs)):
        invariant(all(xs[k] <= xs[k + 1] for k in range(i - 1)))
        invariant(permutation(xs, old(xs)))
        j = i
        while j > 0 and xs[j - 1] > xs[j]:
            invariant(0 <= j <= i)
            invariant(all(xs[k] <= xs[k + 1] for k in range(i) if k != j - 1))
            invariant(j == 0 or j == i or xs[j - 1] <= xs[j + 1])
            invariant(permutation(xs, old(xs)))
            decreases(j)
            xs[j - 1], xs[j] = xs[j], xs[j - 1]
            j -= 1


@spec
@require(lambda xs, n: 0 <= n <= len(xs))
def total(xs: list[int], n: int) -> int:
    decreases(n)
    return 0 if n == 0 else total(xs, n - 1) + xs[n - 1]


@ensure(lambda xs, result: result == total(xs, len(xs)))
def add_up(xs: list[int]) -> int:
    s = 0
    for i, x in enumerate(xs):
        invariant(s == total(xs, i))
        s += x
    return s


@ensure(lambda xs, result: result == sum(xs))
def add_up2(xs: list[u8]) -> int:
    s = 0
    for i in range(len(xs)):
        invariant(s == sum(xs[:i]))
        s += xs[i]
    return s


@ensure(lambda x, result: result == x % 8)
def low3(x: u32) -> u32:
    return x & 7


@ensure(lambda x, result: result == (x & 1) + ((x >> 1) & 1))
def two_bits(x: u32) -> u32:
    return (x & 1) + ((x >> 1) & 1)

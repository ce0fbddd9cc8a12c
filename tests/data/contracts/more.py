"""Functions with contracts that are proved."""

# ruff: noqa: B007, RET504, SIM108

from certune.contracts import (
    decreases,
    ensure,
    i32,
    invariant,
    lemma,
    modifies,
    require,
    spec,
    u8,
    u32,
    u64,
)


@require(lambda a, b: a <= b)
@ensure(lambda a, b, result: a <= result <= b and result == (a + b) // 2)
def midpoint(a: u32, b: u32) -> u32:
    return a + (b - a) // 2


@require(lambda n, k: 0 <= k < 64 and n <= u64.MAX - (1 << 63))
@ensure(lambda n, k, result: result >= n)
def align_up(n: u64, k: u8) -> u64:
    a: u64 = 1
    a = a << k
    return (n + (a - 1)) & (a - 1 ^ u64.MAX)


@ensure(lambda crc, byte, result: result <= u32.MAX)
def crc_step(crc: u32, byte: u8) -> u32:
    c = crc ^ byte
    for i in range(8):
        if c & 1 == 1:
            c = (c >> 1) ^ 0xEDB88320
        else:
            c = c >> 1
    return c


@require(lambda ts: len(ts) == 5 and all(0 <= t <= 2 for t in ts))
@ensure(lambda ts, result: result == ts[0] + 3 * ts[1] + 9 * ts[2] + 27 * ts[3] + 81 * ts[4])
def pack5(ts: list[u8]) -> u8:
    v: u8 = 0
    v = ts[4]
    for k in range(3, -1, -1):
        invariant(k != 3 or v == ts[4])
        invariant(k != 2 or v == ts[3] + 3 * ts[4])
        invariant(k != 1 or v == ts[2] + 3 * ts[3] + 9 * ts[4])
        invariant(k != 0 or v == ts[1] + 3 * ts[2] + 9 * ts[3] + 27 * ts[4])
        invariant(k != -1 or v == ts[0] + 3 * ts[1] + 9 * ts[2] + 27 * ts[3] + 81 * ts[4])
        v = v * 3 + ts[k]
    return v


@require(lambda bits: len(bits) == 4 and all(b <= 3 for b in bits))
@ensure(lambda bits, result: all((result >> (2 * i)) & 3 == bits[i] for i in range(4)))
def pack2(bits: list[u8]) -> u8:
    out: u8 = 0
    out = bits[0] | (bits[1] << 2) | (bits[2] << 4) | (bits[3] << 6)
    return out


@ensure(lambda x, result: result == 1 or result == 0)
@ensure(lambda x, result: (result == 1) == (x != 0 and x & u32.wrapping_sub(x, 1) == 0))
def is_pow2(x: u32) -> u32:
    if x == 0:
        return 0
    if x & (x - 1) == 0:
        return 1
    return 0


@require(lambda xs: all(x >= 0 for x in xs))
@ensure(lambda xs, result: result == any(x == 0 for x in xs))
def has_zero(xs: list[int]) -> bool:
    for i, x in enumerate(xs):
        invariant(all(xs[k] != 0 for k in range(i)))
        if x == 0:
            return True
    return False


@ensure(lambda n, result: len(result) == n and all(result[i] == i * i for i in range(n)))
@require(lambda n: n >= 0)
def squares(n: int) -> list[int]:
    out: list[int] = []
    for i in range(n):
        invariant(len(out) == i)
        invariant(all(out[k] == k * k for k in range(i)))
        out.append(i * i)
    return out


@require(lambda b: b > 0)
@require(lambda a: a >= 0)
@ensure(lambda a, b, result: result[0] * b + result[1] == a and 0 <= result[1] < b)
def divmod_(a: int, b: int) -> tuple[int, int]:
    q = 0
    r = a
    while r >= b:
        invariant(q * b + r == a and r >= 0)
        q += 1
        r -= b
    return q, r


@spec
def fib(n: int) -> int:
    decreases(n)
    if n <= 1:
        return max(n, 0)
    return fib(n - 1) + fib(n - 2)


@require(lambda n: n >= 0)
@ensure(lambda n, result: result == fib(n))
def fast_fib(n: int) -> int:
    a = 0
    b = 1
    for i in range(n):
        invariant(a == fib(i) and b == fib(i + 1))
        a, b = b, a + b
    return a


@lemma
@require(lambda n: n >= 1)
@ensure(lambda n: fib(n) >= 1)
def fib_pos(n: int) -> None:
    decreases(n)
    if n > 2:
        fib_pos(n - 1)
        fib_pos(n - 2)
    elif n == 2:
        fib_pos(1)


@ensure(lambda xs, v, result: result is None or (0 <= result < len(xs) and xs[result] == v))
@ensure(lambda xs, v, result: result is not None or v not in xs)
def find(xs: list[int], v: int) -> int | None:
    for i, x in enumerate(xs):
        invariant(all(xs[k] != v for k in range(i)))
        if x == v:
            return i
    return None


@ensure(lambda xs, result: result == sum(1 for i in range(len(xs)) if xs[i] > 0))
def positives(xs: list[i32]) -> int:
    n = 0
    for i in range(len(xs)):
        invariant(n == sum(1 for k in range(i) if xs[k] > 0))
        if xs[i] > 0:
            n += 1
    return n


@require(lambda m, n: n >= 0 and len(m) == n and all(len(m[i]) == n for i in range(n)))
@ensure(lambda m, n: len(m) == n and all(len(m[i]) == n for i in range(n)))
@ensure(lambda m, n: all(m[i][j] == (1 if i == j else 0) for i in range(n) for j in range(n)))
@modifies("m")
def identity(m: list[list[int]], n: int) -> None:
    for i in range(n):
        invariant(len(m) == n and all(len(m[k]) == n for k in range(n)))
        invariant(all(m[a][b] == (1 if a == b else 0) for a in range(i) for b in range(n)))
        for j in range(n):
            invariant(len(m) == n and all(len(m[k]) == n for k in range(n)))
            invariant(all(m[a][b] == (1 if a == b else 0) for a in range(i) for b in range(n)))
            invariant(all(m[i][b] == (1 if i == b else 0) for b in range(j)))
            if i == j:
                m[i][j] = 1
            else:
                m[i][j] = 0


@require(lambda t: all(t[k] >= 0 for k in t))
@ensure(lambda t: all(t[k] >= 0 for k in t))
@modifies("t")
def bump(t: dict[int, int], key: int) -> None:
    if key in t:
        t[key] = t[key] + 1
    else:
        t[key] = 1

"""Signed subtraction that stops at the ends of its range."""

from certune.contracts import ensure, i32


@ensure(lambda a, b, result: result == max(i32.MIN, min(i32.MAX, a - b)))
def saturating_sub(a: i32, b: i32) -> i32:
    if b > 0 and a < i32.MIN + b:
        return i32.MIN
    if b < 0 and a > i32.MAX + b:
        return i32.MAX
    return a - b

"""Addition that stops at the largest value instead of wrapping around."""

from certune.contracts import ensure, u32


@ensure(lambda a, b, result: result == min(a + b, u32.MAX))
def saturating_add(a: u32, b: u32) -> u32:
    if a > u32.MAX - b:
        return u32.MAX
    return a + b

"""Exponential back-off with a ceiling: it never overflows and never falls."""

from certune.contracts import ensure, require, u32


@require(lambda delay, ceiling: 0 < delay <= ceiling)
@ensure(lambda delay, ceiling, result: delay <= result <= ceiling)
@ensure(lambda delay, ceiling, result: result == min(2 * delay, ceiling))
def next_delay(delay: u32, ceiling: u32) -> u32:
    if delay > ceiling // 2:
        return ceiling
    return delay * 2

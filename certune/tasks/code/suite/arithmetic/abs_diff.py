"""The distance of two unsigned words; subtracting the wrong way round would wrap."""

from certune.contracts import ensure, u16


@ensure(lambda a, b, result: result == abs(a - b))
def abs_diff(a: u16, b: u16) -> u16:
    if a > b:
        return a - b
    return b - a

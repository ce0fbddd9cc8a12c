"""A word rotated left by five bits, as hash functions do it: no bit is lost."""

from certune.contracts import ensure, u32


@ensure(lambda x, result: result >> 5 == x & 134217727)
@ensure(lambda x, result: result & 31 == x >> 27)
def rotate_word(x: u32) -> u32:
    return u32.wrapping_shl(x, 5) | (x >> 27)

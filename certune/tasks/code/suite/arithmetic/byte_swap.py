"""A 32-bit word with its bytes in the other order, as network code needs it."""

from certune.contracts import ensure, u32


@ensure(lambda x, result: result & 255 == x >> 24)
@ensure(lambda x, result: (result >> 8) & 255 == (x >> 16) & 255)
@ensure(lambda x, result: (result >> 16) & 255 == (x >> 8) & 255)
@ensure(lambda x, result: result >> 24 == x & 255)
def byte_swap(x: u32) -> u32:
    return ((x & 255) << 24) | ((x & 65280) << 8) | ((x >> 8) & 65280) | (x >> 24)

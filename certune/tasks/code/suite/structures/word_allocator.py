"""Claiming the lowest free bit of a word, with the two's complement trick of allocators."""

from certune.contracts import ensure, require, u32


@require(lambda used: used != u32.MAX)
@ensure(lambda used, result: result & used == used)
@ensure(lambda used, result: result != used)
@ensure(lambda used, result: (result ^ used) & u32.wrapping_sub(result ^ used, 1) == 0)
def claim_lowest(used: u32) -> u32:
    return used | (used + 1)

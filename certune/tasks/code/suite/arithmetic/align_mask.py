"""Rounding up to a 64-byte cache line with a mask, as allocators do it."""

from certune.contracts import ensure, require, u32


@require(lambda address: address <= u32.MAX - 63)
@ensure(lambda address, result: result & 63 == 0)
@ensure(lambda address, result: address <= result <= address + 63)
def align_mask(address: u32) -> u32:
    return (address + 63) & (u32.MAX ^ 63)

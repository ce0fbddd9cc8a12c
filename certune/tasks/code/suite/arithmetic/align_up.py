"""The next address at or after another that is a multiple of an alignment."""

from certune.contracts import ensure, require, u32


@require(lambda alignment: alignment > 0)
@require(lambda address, alignment: address + alignment - 1 <= u32.MAX)
@ensure(lambda address, alignment, result: result % alignment == 0)
@ensure(lambda address, alignment, result: address <= result < address + alignment)
def align_up(address: u32, alignment: u32) -> u32:
    over = address % alignment
    if over == 0:
        return address
    return address + (alignment - over)

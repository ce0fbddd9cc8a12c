"""How many blocks of a given size hold so many bytes; no intermediate value overflows."""

from certune.contracts import ensure, require, u32


@require(lambda size: size > 0)
@ensure(lambda total, size, result: result * size >= total)
@ensure(lambda total, size, result: (result - 1) * size < total)
def ceil_div(total: u32, size: u32) -> u32:
    whole = total // size
    if total % size == 0:
        return whole
    return whole + 1

"""Four ternary weights in a byte, two bits each, and back: nothing is lost (as in BitNet)."""

from certune.contracts import ensure, require, spec, u8


@spec
def trit(x: u8) -> bool:
    return x <= 2


@require(lambda a, b, c, d: trit(a) and trit(b) and trit(c) and trit(d))
@ensure(lambda a, b, c, d, result: unpack2(result, 0) == a)
@ensure(lambda a, b, c, d, result: unpack2(result, 1) == b)
@ensure(lambda a, b, c, d, result: unpack2(result, 2) == c)
@ensure(lambda a, b, c, d, result: unpack2(result, 3) == d)
def ternary_pack2(a: u8, b: u8, c: u8, d: u8) -> u8:
    return a | (b << 2) | (c << 4) | (d << 6)


@spec
@require(lambda place: 0 <= place <= 3)
def unpack2(packed: u8, place: int) -> u8:
    if place == 0:
        return packed & 3
    if place == 1:
        return (packed >> 2) & 3
    if place == 2:
        return (packed >> 4) & 3
    return (packed >> 6) & 3

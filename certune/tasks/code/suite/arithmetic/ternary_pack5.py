"""Five ternary weights in a byte, in base three, and back: nothing is lost."""

from certune.contracts import ensure, require, spec, u8


@spec
@require(lambda place: 0 <= place <= 4)
def unpack5(packed: u8, place: int) -> int:
    if place == 0:
        return packed % 3
    if place == 1:
        return packed // 3 % 3
    if place == 2:
        return packed // 9 % 3
    if place == 3:
        return packed // 27 % 3
    return packed // 81


@require(lambda a, b, c, d, e: a <= 2 and b <= 2 and c <= 2 and d <= 2 and e <= 2)
@ensure(lambda a, result: unpack5(result, 0) == a)
@ensure(lambda b, result: unpack5(result, 1) == b)
@ensure(lambda c, result: unpack5(result, 2) == c)
@ensure(lambda d, result: unpack5(result, 3) == d)
@ensure(lambda e, result: unpack5(result, 4) == e)
def ternary_pack5(a: u8, b: u8, c: u8, d: u8, e: u8) -> u8:
    return a + 3 * b + 9 * c + 27 * d + 81 * e

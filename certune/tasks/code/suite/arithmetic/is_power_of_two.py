"""Whether exactly one bit of a byte is set: the classic trick, against what it stands for."""

from certune.contracts import ensure, u8


@ensure(lambda x, result: result == any(x == p for p in [1, 2, 4, 8, 16, 32, 64, 128]))
def is_power_of_two(x: u8) -> bool:
    if x == 0:
        return False
    return x & (x - 1) == 0

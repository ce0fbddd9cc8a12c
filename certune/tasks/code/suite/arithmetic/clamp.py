"""The value of a closed range that is nearest to a given one."""

from certune.contracts import ensure, require


@require(lambda low, high: low <= high)
@ensure(lambda low, high, result: low <= result <= high)
@ensure(
    lambda x, low, high, result: (
        result == x or (x < low and result == low) or (x > high and result == high)
    )
)
def clamp(x: int, low: int, high: int) -> int:
    if x < low:
        return low
    if x > high:
        return high
    return x

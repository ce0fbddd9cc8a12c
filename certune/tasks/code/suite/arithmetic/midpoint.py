"""The middle of two indices, without the overflow that hid in binary searches for decades."""

from certune.contracts import ensure, require, u32


@require(lambda low, high: low <= high)
@ensure(lambda low, high, result: result == (low + high) // 2)
def midpoint(low: u32, high: u32) -> u32:
    return low + (high - low) // 2

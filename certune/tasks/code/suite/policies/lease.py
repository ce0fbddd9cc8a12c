"""A leader's lease with clock skew: a new leader begins only when the old one has ended."""

from certune.contracts import ensure, require


@require(lambda length, skew: length > 0 and skew >= 0)
@require(lambda true_now, local_now, skew: abs(local_now - true_now) <= skew)
@require(lambda granted_true, granted_local, skew: abs(granted_local - granted_true) <= skew)
@ensure(
    lambda granted_true, length, true_now, result: not result or true_now >= granted_true + length
)
def may_lead(
    granted_true: int, granted_local: int, length: int, skew: int, true_now: int, local_now: int
) -> bool:
    return local_now >= granted_local + length + 2 * skew

"""A token bucket: never more than its capacity, and never more let through than it held."""

from dataclasses import dataclass

from certune.contracts import ensure, modifies, old, require, spec


@dataclass
class Bucket:
    tokens: int
    capacity: int
    rate: int
    updated: int


@spec
def valid(b: Bucket) -> bool:
    return 0 <= b.tokens <= b.capacity and b.rate >= 0


@require(lambda b: valid(b))
@require(lambda b, now, cost: now >= b.updated and cost >= 0)
@modifies("b.tokens", "b.updated")
@ensure(lambda b, now: valid(b) and b.updated == now)
@ensure(
    lambda b, now, cost, result: (
        result == (min(b.capacity, old(b).tokens + (now - old(b).updated) * b.rate) >= cost)
    )
)
@ensure(
    lambda b, now, cost, result: (
        not result or b.tokens + cost <= old(b).tokens + (now - old(b).updated) * b.rate
    )
)
@ensure(lambda b, result: result or b.tokens >= old(b).tokens)
def admit(b: Bucket, now: int, cost: int) -> bool:
    gained = (now - b.updated) * b.rate
    assert gained >= 0
    level = min(b.capacity, b.tokens + gained)
    b.updated = now
    if level < cost:
        b.tokens = level
        return False
    b.tokens = level - cost
    return True

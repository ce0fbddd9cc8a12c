"""Retries within a budget: at most one retry for every ten requests, counted over all time."""

from dataclasses import dataclass

from certune.contracts import ensure, modifies, old, require, spec


@dataclass
class Counter:
    requests: int
    retries: int


@spec
def valid(c: Counter) -> bool:
    return 0 <= c.retries and 10 * c.retries <= c.requests


@require(lambda c: valid(c))
@modifies("c")
@ensure(
    lambda c, wants_retry: valid(c) and c.requests == old(c).requests + (0 if wants_retry else 1)
)
@ensure(
    lambda c, wants_retry, result: (
        result == (wants_retry and 10 * (old(c).retries + 1) <= old(c).requests)
    )
)
@ensure(lambda c, result: c.retries == old(c).retries + (1 if result else 0))
def request(c: Counter, wants_retry: bool) -> bool:
    if not wants_retry:
        c.requests += 1
        return False
    if 10 * c.retries + 10 > c.requests:
        return False
    c.retries += 1
    return True

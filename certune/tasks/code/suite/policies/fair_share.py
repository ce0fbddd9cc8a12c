"""Dividing a capacity among clients: shares add up and differ by one at most."""

from certune.contracts import ensure, invariant, require


@require(lambda capacity, clients: capacity >= 0 and clients > 0)
@ensure(lambda clients, result: len(result) == clients)
@ensure(lambda capacity, result: sum(result) == capacity)
@ensure(
    lambda capacity, clients, result: all(
        capacity // clients <= s <= capacity // clients + 1 for s in result
    )
)
def shares(capacity: int, clients: int) -> list[int]:
    whole = capacity // clients
    extra = capacity % clients
    given: list[int] = []
    total = 0
    for i in range(clients):
        invariant(len(given) == i)
        invariant(total == i * whole + min(i, extra))
        invariant(sum(given) == total)
        invariant(all(whole <= s <= whole + 1 for s in given))
        share = whole
        if i < extra:
            share = whole + 1
        given.append(share)
        total += share
    return given

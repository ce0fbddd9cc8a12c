"""Weighted round robin's next server: a healthy one, the first after the last that was used."""

from certune.contracts import ensure, invariant, require


@require(lambda healthy, last: len(healthy) > 0 and 0 <= last < len(healthy))
@ensure(lambda healthy, result: -1 <= result < len(healthy))
@ensure(lambda healthy, result: result == -1 or healthy[result])
@ensure(lambda healthy, result: result != -1 or not any(h for h in healthy))
def next_server(healthy: list[bool], last: int) -> int:
    for k in range(1, len(healthy) + 1):
        invariant(all(not healthy[p] for p in range(last + 1, min(last + k, len(healthy)))))
        invariant(all(not healthy[p] for p in range(last + k - len(healthy))))
        place = last + k
        if place >= len(healthy):
            place = place - len(healthy)
        if healthy[place]:
            return place
    return -1

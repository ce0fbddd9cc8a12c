"""A least-recently-used list: what is touched moves to the front, the rest keeps its order."""

from certune.contracts import decreases, ensure, invariant, modifies, old, require


@require(lambda order, place: 0 <= place < len(order))
@modifies("order")
@ensure(lambda order: len(order) == len(old(order)))
@ensure(lambda order, place: order[0] == old(order)[place])
@ensure(lambda order, place: all(order[i] == old(order)[i - 1] for i in range(1, place + 1)))
@ensure(lambda order, place: all(order[i] == old(order)[i] for i in range(place + 1, len(order))))
def touch(order: list[int], place: int) -> None:
    item = order[place]
    k = place
    while k > 0:
        invariant(0 <= k <= place)
        invariant(all(order[i] == old(order)[i] for i in range(k)))
        invariant(all(order[i] == old(order)[i - 1] for i in range(k + 1, place + 1)))
        invariant(all(order[i] == old(order)[i] for i in range(place + 1, len(order))))
        decreases(k)
        order[k] = order[k - 1]
        k -= 1
    order[0] = item

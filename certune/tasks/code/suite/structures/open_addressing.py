"""Looking a key up in an open-addressing table by linear probing over all its slots."""

from certune.contracts import ensure, invariant, require


@require(lambda slots, start: len(slots) > 0 and 0 <= start < len(slots))
@require(lambda key: key >= 0)
@ensure(lambda slots, result: -1 <= result < len(slots))
@ensure(lambda slots, key, result: result == -1 or slots[result] == key)
@ensure(
    lambda slots, key, start, result: (
        result != -1
        or any(slots[p] == -1 for p in range(len(slots)))
        or all(s != key for s in slots)
    )
)
def lookup(slots: list[int], key: int, start: int) -> int:
    for i in range(len(slots)):
        invariant(all(slots[p] != key for p in range(start, min(start + i, len(slots)))))
        invariant(all(slots[p] != key for p in range(start + i - len(slots))))
        place = start + i
        if place >= len(slots):
            place = place - len(slots)
        if slots[place] == key:
            return place
        if slots[place] == -1:
            return -1
    return -1

"""A ring buffer: what is pushed comes out in order, and neither end overtakes the other."""

from dataclasses import dataclass

from certune.contracts import ensure, modifies, old, require, spec


@dataclass
class Ring:
    slots: list[int]
    head: int
    count: int


@spec
def valid(ring: Ring) -> bool:
    return (
        len(ring.slots) > 0
        and 0 <= ring.head < len(ring.slots)
        and 0 <= ring.count <= len(ring.slots)
    )


@spec
@require(lambda ring, k: valid(ring) and 0 <= k < len(ring.slots))
@ensure(lambda ring, result: 0 <= result < len(ring.slots))
def place(ring: Ring, k: int) -> int:
    return ring.head + k if ring.head + k < len(ring.slots) else ring.head + k - len(ring.slots)


@require(lambda ring: valid(ring) and ring.count < len(ring.slots))
@modifies("ring")
@ensure(
    lambda ring: valid(ring) and ring.count == old(ring).count + 1 and ring.head == old(ring).head
)
@ensure(lambda ring: len(ring.slots) == len(old(ring).slots))
@ensure(lambda ring, x: ring.slots[place(ring, ring.count - 1)] == x)
@ensure(
    lambda ring: all(
        ring.slots[place(ring, k)] == old(ring).slots[place(ring, k)] for k in range(ring.count - 1)
    )
)
def push(ring: Ring, x: int) -> None:
    end = ring.head + ring.count
    if end >= len(ring.slots):
        end = end - len(ring.slots)
    ring.slots[end] = x
    ring.count += 1


@require(lambda ring: valid(ring) and ring.count > 0)
@modifies("ring")
@ensure(lambda ring: valid(ring) and ring.count == old(ring).count - 1)
@ensure(lambda ring: ring.slots == old(ring).slots)
@ensure(lambda ring, result: result == old(ring).slots[old(ring).head])
@ensure(
    lambda ring: (
        ring.head == old(ring).head + 1
        or (ring.head == 0 and old(ring).head == len(ring.slots) - 1)
    )
)
def pop(ring: Ring) -> int:
    x = ring.slots[ring.head]
    ring.head += 1
    if ring.head == len(ring.slots):
        ring.head = 0
    ring.count -= 1
    return x

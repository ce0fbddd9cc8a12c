"""A free list in an array: taking its head hands out a block that is then not on the list."""

from dataclasses import dataclass

from certune.contracts import ensure, modifies, old, require, spec


@dataclass
class FreeList:
    next: list[int]
    head: int


@spec
def valid(free: FreeList) -> bool:
    return (
        -1 <= free.head < len(free.next)
        and all(-1 <= n < len(free.next) for n in free.next)
        and all(free.next[i] != i for i in range(len(free.next)))
    )


@require(lambda free: valid(free) and free.head != -1)
@modifies("free.head")
@ensure(lambda free: valid(free))
@ensure(lambda free, result: result == old(free).head and 0 <= result < len(free.next))
@ensure(lambda free, result: free.head == free.next[result] and free.head != result)
def take(free: FreeList) -> int:
    block = free.head
    free.head = free.next[block]
    return block


@require(lambda free, block: valid(free) and 0 <= block < len(free.next) and block != free.head)
@modifies("free")
@ensure(lambda free: valid(free) and len(free.next) == len(old(free).next))
@ensure(lambda free, block: free.head == block and free.next[block] == old(free).head)
@ensure(
    lambda free, block: all(
        free.next[i] == old(free).next[i] for i in range(len(free.next)) if i != block
    )
)
def give_back(free: FreeList, block: int) -> None:
    free.next[block] = free.head
    free.head = block

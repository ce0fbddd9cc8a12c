"""The indices of a bounded queue that counts without end: full and empty are never confused."""

from certune.contracts import ensure, require, u32


@require(lambda head, tail: u32.wrapping_sub(tail, head) <= 256)
@ensure(lambda head, tail, result: result == u32.wrapping_sub(tail, head))
@ensure(lambda result: result <= 256)
def occupancy(head: u32, tail: u32) -> u32:
    return u32.wrapping_sub(tail, head)


@require(lambda head, tail: u32.wrapping_sub(tail, head) <= 256)
@ensure(lambda head, tail, result: u32.wrapping_sub(result, head) <= 256)
@ensure(lambda head, tail, result: (result == tail) == (u32.wrapping_sub(tail, head) == 256))
@ensure(
    lambda head, tail, result: (
        result == tail or u32.wrapping_sub(result, head) == u32.wrapping_sub(tail, head) + 1
    )
)
def advance(head: u32, tail: u32) -> u32:
    if u32.wrapping_sub(tail, head) == 256:
        return tail
    return u32.wrapping_add(tail, 1)

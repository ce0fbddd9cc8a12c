"""A bump allocator: blocks are aligned, inside of the arena, and never overlap an earlier one."""

from dataclasses import dataclass

from certune.contracts import ensure, modifies, old, require, spec


@dataclass
class Arena:
    used: int
    size: int


@spec
def valid(arena: Arena) -> bool:
    return 0 <= arena.used <= arena.size


@require(lambda arena, size, alignment: valid(arena) and size >= 0 and alignment > 0)
@modifies("arena.used")
@ensure(lambda arena: valid(arena) and arena.used >= old(arena).used)
@ensure(lambda result: result >= -1)
@ensure(
    lambda arena, size, result: (
        result == -1 or (result >= old(arena).used and result + size == arena.used)
    )
)
@ensure(lambda alignment, result: result == -1 or result % alignment == 0)
@ensure(lambda arena, result: result != -1 or arena.used == old(arena).used)
@ensure(
    lambda arena, size, alignment, result: (
        result != -1 or old(arena).used + alignment - 1 + size > arena.size
    )
)
def bump(arena: Arena, size: int, alignment: int) -> int:
    over = arena.used % alignment
    start = arena.used
    if over != 0:
        start = arena.used + (alignment - over)
    if start + size > arena.size:
        return -1
    arena.used = start + size
    return start

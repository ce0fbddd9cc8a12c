"""A bounded stack: it refuses when full, and what was pushed last comes off first."""

from dataclasses import dataclass

from certune.contracts import ensure, modifies, old, require, spec


@dataclass
class Stack:
    items: list[int]
    limit: int


@spec
def valid(s: Stack) -> bool:
    return len(s.items) <= s.limit


@require(lambda s: valid(s))
@modifies("s.items")
@ensure(lambda s: valid(s))
@ensure(lambda s, result: result == (len(old(s).items) < s.limit))
@ensure(lambda s, x, result: not result or s.items == old(s).items + [x])
@ensure(lambda s, result: result or s.items == old(s).items)
def push(s: Stack, x: int) -> bool:
    if len(s.items) == s.limit:
        return False
    s.items.append(x)
    return True


@require(lambda s: valid(s) and len(s.items) > 0)
@modifies("s.items")
@ensure(lambda s: valid(s))
@ensure(lambda s, result: result == old(s).items[len(old(s).items) - 1])
@ensure(lambda s: s.items == old(s).items[: len(old(s).items) - 1])
def pop(s: Stack) -> int:
    x = s.items.pop()
    return x

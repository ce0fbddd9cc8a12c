"""A bitmap of blocks: the first free one is taken, all others stay as they are."""

from certune.contracts import ensure, invariant, modifies, old


@modifies("used")
@ensure(lambda used: len(used) == len(old(used)))
@ensure(lambda used, result: -1 <= result < len(used))
@ensure(lambda used, result: result != -1 or all(u for u in old(used)))
@ensure(lambda used, result: result != -1 or used == old(used))
@ensure(lambda used, result: result == -1 or (used[result] and not old(used)[result]))
@ensure(
    lambda used, result: (
        result == -1 or all(used[i] == old(used)[i] for i in range(len(used)) if i != result)
    )
)
@ensure(lambda used, result: all(old(used)[i] for i in range(result)))
def allocate(used: list[bool]) -> int:
    for i in range(len(used)):
        invariant(used == old(used))
        invariant(all(used[j] for j in range(i)))
        if not used[i]:
            used[i] = True
            return i
    return -1

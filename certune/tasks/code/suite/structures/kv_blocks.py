"""Blocks of a paged key/value cache with reference counts: shared, released, never used twice."""

from certune.contracts import ensure, invariant, modifies, old, require


@require(lambda refs: all(r >= 0 for r in refs))
@modifies("refs")
@ensure(lambda refs: len(refs) == len(old(refs)) and all(r >= 0 for r in refs))
@ensure(lambda refs, result: -1 <= result < len(refs))
@ensure(lambda refs, result: result == -1 or (old(refs)[result] == 0 and refs[result] == 1))
@ensure(lambda refs, result: all(refs[i] == old(refs)[i] for i in range(len(refs)) if i != result))
@ensure(lambda refs, result: result != -1 or all(r > 0 for r in old(refs)))
def allocate(refs: list[int]) -> int:
    for i in range(len(refs)):
        invariant(refs == old(refs))
        invariant(all(refs[j] > 0 for j in range(i)))
        if refs[i] == 0:
            refs[i] = 1
            return i
    return -1


@require(lambda refs: all(r >= 0 for r in refs))
@require(lambda refs, block: 0 <= block < len(refs) and refs[block] > 0)
@modifies("refs")
@ensure(lambda refs: len(refs) == len(old(refs)) and all(r >= 0 for r in refs))
@ensure(lambda refs, block: refs[block] == old(refs)[block] + 1)
@ensure(lambda refs, block: all(refs[i] == old(refs)[i] for i in range(len(refs)) if i != block))
def share(refs: list[int], block: int) -> None:
    refs[block] += 1


@require(lambda refs: all(r >= 0 for r in refs))
@require(lambda refs, block: 0 <= block < len(refs) and refs[block] > 0)
@modifies("refs")
@ensure(lambda refs: len(refs) == len(old(refs)) and all(r >= 0 for r in refs))
@ensure(lambda refs, block: refs[block] == old(refs)[block] - 1)
@ensure(lambda refs, block: all(refs[i] == old(refs)[i] for i in range(len(refs)) if i != block))
@ensure(lambda refs, block, result: result == (refs[block] == 0))
def release(refs: list[int], block: int) -> bool:
    refs[block] -= 1
    return refs[block] == 0

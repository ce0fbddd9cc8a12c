"""Writing to a shared key/value block: the writer gets a block of its own, the others keep theirs."""

from certune.contracts import ensure, modifies, old, require


@require(lambda refs, block, fresh: 0 <= block < len(refs) and 0 <= fresh < len(refs))
@require(lambda refs: all(r >= 0 for r in refs))
@require(lambda refs, block, fresh: refs[block] > 0 and refs[fresh] == 0)
@modifies("refs")
@ensure(lambda refs: len(refs) == len(old(refs)) and all(r >= 0 for r in refs))
@ensure(lambda refs, result: 0 <= result < len(refs) and refs[result] == 1)
@ensure(lambda refs, block, result: result == block or refs[block] == old(refs)[block] - 1)
@ensure(lambda refs, block, fresh, result: result == (block if old(refs)[block] == 1 else fresh))
@ensure(
    lambda refs, block, fresh: all(
        refs[i] == old(refs)[i] for i in range(len(refs)) if i != block and i != fresh
    )
)
def writable(refs: list[int], block: int, fresh: int) -> int:
    if refs[block] == 1:
        return block
    refs[block] -= 1
    refs[fresh] = 1
    return fresh

"""Shedding load by priority: nothing is dropped while something less important is kept."""

from certune.contracts import ensure, invariant


@ensure(lambda priorities, result: len(result) == len(priorities))
@ensure(
    lambda priorities, floor, result: all(
        result[i] == (priorities[i] >= floor) for i in range(len(result))
    )
)
@ensure(
    lambda priorities, result: all(
        result[j] or not result[i] or priorities[i] > priorities[j]
        for i in range(len(result))
        for j in range(len(result))
    )
)
def keep(priorities: list[int], floor: int) -> list[bool]:
    kept: list[bool] = []
    for i in range(len(priorities)):
        invariant(len(kept) == i)
        invariant(all(kept[j] == (priorities[j] >= floor) for j in range(i)))
        kept.append(priorities[i] >= floor)
    return kept

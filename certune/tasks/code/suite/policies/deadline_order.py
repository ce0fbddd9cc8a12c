"""Whether jobs in a queue, taken in its order, all meet their deadlines."""

from certune.contracts import ensure, invariant, require


@require(lambda costs, deadlines: len(costs) == len(deadlines))
@ensure(
    lambda costs, deadlines, result: (
        result == all(sum(costs[: i + 1]) <= deadlines[i] for i in range(len(costs)))
    )
)
def feasible(costs: list[int], deadlines: list[int]) -> bool:
    clock = 0
    for i in range(len(costs)):
        invariant(clock == sum(costs[:i]))
        invariant(all(sum(costs[: j + 1]) <= deadlines[j] for j in range(i)))
        clock += costs[i]
        if clock > deadlines[i]:
            return False
    return True

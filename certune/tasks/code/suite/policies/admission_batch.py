"""Admitting a backlog in order: all that are let in end in time, whoever is next would not."""

from certune.contracts import decreases, ensure, invariant, require


@require(lambda costs: all(c > 0 for c in costs))
@require(lambda timeout: timeout >= 0)
@ensure(lambda costs, result: 0 <= result <= len(costs))
@ensure(lambda costs, timeout, result: sum(costs[:result]) <= timeout)
@ensure(lambda costs, timeout, result: result == len(costs) or sum(costs[: result + 1]) > timeout)
def admitted(costs: list[int], timeout: int) -> int:
    count = 0
    spent = 0
    while count < len(costs) and spent + costs[count] <= timeout:
        invariant(0 <= count <= len(costs))
        invariant(spent == sum(costs[:count]))
        invariant(spent <= timeout)
        decreases(len(costs) - count)
        spent += costs[count]
        count += 1
    return count

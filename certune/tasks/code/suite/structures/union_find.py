"""Union-find: the root of an element; parents have larger ranks, so that every walk ends."""

from certune.contracts import decreases, ensure, invariant, modifies, old, require, spec


@spec
def valid(parent: list[int]) -> bool:
    return all(i <= parent[i] < len(parent) for i in range(len(parent)))


@require(lambda parent, x: valid(parent) and 0 <= x < len(parent))
@ensure(lambda parent, x, result: x <= result < len(parent) and parent[result] == result)
def find(parent: list[int], x: int) -> int:
    node = x
    while parent[node] != node:
        invariant(x <= node < len(parent))
        decreases(len(parent) - node)
        node = parent[node]
    return node


@require(lambda parent, a, b: valid(parent) and 0 <= a < len(parent) and 0 <= b < len(parent))
@modifies("parent")
@ensure(lambda parent: valid(parent) and len(parent) == len(old(parent)))
@ensure(lambda parent, result: 0 <= result < len(parent) and parent[result] == result)
def union(parent: list[int], a: int, b: int) -> int:
    x = find(parent, a)
    y = find(parent, b)
    if x < y:
        parent[x] = y
        return y
    parent[y] = x
    return x

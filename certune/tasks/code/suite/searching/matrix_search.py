"""A value in a matrix, all rows looked through: early return from two loops."""

from certune.contracts import ensure, invariant, require


@require(lambda m: all(len(m[i]) == len(m[j]) for i in range(len(m)) for j in range(len(m))))
@ensure(
    lambda m, key, result: (
        result == any(m[i][j] == key for i in range(len(m)) for j in range(len(m[i])))
    )
)
def matrix_search(m: list[list[int]], key: int) -> bool:
    for r in range(len(m)):
        invariant(all(m[i][j] != key for i in range(r) for j in range(len(m[i]))))
        for c in range(len(m[r])):
            invariant(all(m[r][j] != key for j in range(c)))
            if m[r][c] == key:
                return True
    return False

"""Two sorted lists merged into one that is sorted."""

from certune.contracts import decreases, ensure, invariant, require


@require(lambda xs: all(xs[i] <= xs[j] for i in range(len(xs)) for j in range(i, len(xs))))
@require(lambda ys: all(ys[i] <= ys[j] for i in range(len(ys)) for j in range(i, len(ys))))
@ensure(lambda xs, ys, result: len(result) == len(xs) + len(ys))
@ensure(
    lambda result: all(
        result[i] <= result[j] for i in range(len(result)) for j in range(i, len(result))
    )
)
def merge(xs: list[int], ys: list[int]) -> list[int]:
    merged: list[int] = []
    a = 0
    b = 0
    while a < len(xs) or b < len(ys):
        invariant(0 <= a <= len(xs) and 0 <= b <= len(ys))
        invariant(len(merged) == a + b)
        invariant(
            all(merged[i] <= merged[j] for i in range(len(merged)) for j in range(i, len(merged)))
        )
        invariant(a == len(xs) or all(m <= xs[a] for m in merged))
        invariant(b == len(ys) or all(m <= ys[b] for m in merged))
        decreases(len(xs) - a + len(ys) - b)
        if b == len(ys) or (a < len(xs) and xs[a] <= ys[b]):
            merged.append(xs[a])
            a += 1
        else:
            merged.append(ys[b])
            b += 1
    return merged

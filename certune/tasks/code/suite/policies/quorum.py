"""Counting votes: a majority is reported exactly when more than half said yes."""

from certune.contracts import ensure, invariant


@ensure(
    lambda votes, result: (
        result == (2 * sum(1 for i in range(0, len(votes)) if votes[i]) > len(votes))
    )
)
def majority(votes: list[bool]) -> bool:
    yes = 0
    for i in range(len(votes)):
        invariant(yes == sum(1 for k in range(0, i) if votes[k]))
        if votes[i]:
            yes += 1
    return 2 * yes > len(votes)

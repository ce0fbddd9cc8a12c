"""Random changes to JSON data, knowing nothing of what it means."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

_MOST_NODES = 200_000


def _arrays(value: Any) -> Iterator[tuple[list[Any], bool]]:
    """Every array in `value`, outermost first, and whether another array holds it."""
    level: list[tuple[Any, bool]] = [(value, False)]
    seen = 0
    while level and seen < _MOST_NODES:
        below: list[tuple[Any, bool]] = []
        for item, held in level:
            seen += 1
            if isinstance(item, list):
                yield item, held
                below += [(x, True) for x in item if isinstance(x, list | dict)]
            elif isinstance(item, dict):
                below += [(x, False) for x in item.values() if isinstance(x, list | dict)]
        level = below


def _integers(array: list[Any]) -> bool:
    return all(type(item) is int for item in array)


def _change_number(draw: random.Random, rows: list[list[Any]]) -> None:
    row = draw.choice(rows)
    place = draw.randrange(len(row))
    other = draw.choice(rows)
    known = other[place] if place < len(other) else row[place]
    row[place] = draw.choice((known, row[place] + 1, max(0, row[place] - 1)))


def _change_list(draw: random.Random, lists: list[list[Any]]) -> None:
    chosen = draw.choice(lists)
    place = draw.randrange(len(chosen))
    kind = draw.randrange(4)
    if kind == 0 and len(chosen) > 1:
        del chosen[place]
    elif kind == 1:
        chosen.insert(draw.randrange(len(chosen) + 1), copy.deepcopy(chosen[place]))
    elif kind == 2:
        other = draw.randrange(len(chosen))
        chosen[place], chosen[other] = chosen[other], chosen[place]
    else:
        same = [x for x in lists if x is not chosen and type(x[0]) is type(chosen[place])]
        if same and len(chosen) > 1:
            draw.choice(same).append(chosen.pop(place))


def mutated(value: Any, draw: random.Random) -> Any:
    """A copy of `value` with one to three random changes to its arrays.

    Rows of integers get another integer of the same column or a neighbouring one; items of other
    arrays are dropped, doubled, swapped, or moved to another array.
    """
    changed = copy.deepcopy(value)
    for _ in range(draw.randrange(1, 4)):
        arrays = [(array, held) for array, held in _arrays(changed) if array]
        rows = [array for array, _ in arrays if _integers(array)]
        # Integers that stand in an array of arrays are a row of fixed length, a list otherwise.
        lists = [array for array, held in arrays if not (held and _integers(array))]
        if rows and (not lists or draw.random() < 0.5):
            _change_number(draw, rows)
        elif lists:
            _change_list(draw, lists)
    return changed

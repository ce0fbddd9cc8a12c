"""The earliest steps under "not before" and "after", cycles of "not before" allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Edges: TypeAlias = Sequence[Sequence[tuple[int, int]]]


def _components(following: Edges) -> tuple[list[int], int]:
    """The strongly connected component of every node; a later one never leads to an earlier.

    Tarjan, "Depth-first search and linear graph algorithms", 1972, without recursion.
    """
    count = len(following)
    number = [0] * count  # order of discovery from 1; 0 is not found yet
    low = [0] * count
    component = [-1] * count
    stack: list[int] = []
    found = components = 0
    for root in range(count):
        if number[root]:
            continue
        found += 1
        number[root] = low[root] = found
        stack.append(root)
        path = [(root, iter(following[root]))]
        while path:
            node, edges = path[-1]
            for after, _ in edges:
                if not number[after]:
                    found += 1
                    number[after] = low[after] = found
                    stack.append(after)
                    path.append((after, iter(following[after])))
                    break
                if component[after] < 0:
                    low[node] = min(low[node], number[after])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == number[node]:
                    while True:
                        member = stack.pop()
                        component[member] = components
                        if member == node:
                            break
                    components += 1
    return [components - 1 - x for x in component], components


def earliest(following: Edges) -> list[int] | int:
    """The least step of every node, or a node that would have to come after itself.

    `following[n]` lists (node, distance) of the nodes that come at least `distance` (0 or 1)
    after n.
    """
    component, components = _components(following)
    members: list[list[int]] = [[] for _ in range(components)]
    for node, own in enumerate(component):
        members[own].append(node)
    step = [0] * components
    for own, listed in enumerate(members):
        for node in listed:
            for after, distance in following[node]:
                there = component[after]
                if there == own and distance:
                    return node
                step[there] = max(step[there], step[own] + distance)
    return [step[own] for own in component]

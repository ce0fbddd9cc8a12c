"""An independent interpreter of schedules, written from docs/formats/schedule.md.

It shares no code with the package: plain dictionaries of Counters, one send after the other.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict


def _before(kind: str, ranks: int, pieces: int, root: int) -> dict[tuple[int, int], Counter]:
    state: dict[tuple[int, int], Counter] = {}
    share = pieces // ranks
    if kind == "alltoall":
        for rank in range(ranks):
            for piece in range(pieces):
                state[rank, rank * pieces + piece] = Counter(["data"])
        return state
    for piece in range(pieces):
        if kind in ("reduce-scatter", "allreduce", "reduce"):
            for rank in range(ranks):
                state[rank, piece] = Counter([rank])
        elif kind in ("broadcast", "scatter"):
            state[root, piece] = Counter(["data"])
        else:
            state[piece // share, piece] = Counter(["data"])
    return state


def _wanted(kind: str, ranks: int, pieces: int, root: int) -> list[tuple[int, int]]:
    share = pieces // ranks
    if kind == "alltoall":
        return [
            (piece // share, rank * pieces + piece)
            for rank in range(ranks)
            for piece in range(pieces)
        ]
    if kind in ("allgather", "allreduce", "broadcast"):
        return [(rank, piece) for rank in range(ranks) for piece in range(pieces)]
    if kind in ("reduce", "gather"):
        return [(root, piece) for piece in range(pieces)]
    return [(piece // share, piece) for piece in range(pieces)]


def judge(data: bytes) -> tuple | None:
    """None for a right schedule, else ("send", step, operation, source, destination, chunk) of
    the first send that breaks a rule, or ("end",) when the postcondition is not met."""
    file = json.loads(data)
    kind, ranks, pieces = file["collective"], file["ranks"], file["pieces"]
    root = file.get("root", 0)
    state = _before(kind, ranks, pieces, root)
    for number, step in enumerate(file["steps"]):
        sends = [("copy", *send) for send in sorted(step.get("copy", []))]
        sends += [("reduce", *send) for send in sorted(step.get("reduce", []))]
        after = dict(state)
        writers: dict[tuple[int, int], list[str]] = defaultdict(list)
        for operation, source, destination, chunk in sends:
            wrong = ("send", number, operation, source, destination, chunk)
            here, there = (source, chunk), (destination, chunk)
            if here not in state:
                return wrong
            writers[there].append(operation)
            if len(writers[there]) > 1 and "copy" in writers[there]:
                return wrong
            if operation == "copy":
                after[there] = Counter(state[here])
                continue
            if there not in state:
                return wrong
            after[there] = after[there] + state[here]
            if max(after[there].values()) > 1:
                return wrong
        state = after
    everything = Counter(["data"])
    if kind in ("reduce-scatter", "allreduce", "reduce"):
        everything = Counter(range(ranks))
    for place in _wanted(kind, ranks, pieces, root):
        if state.get(place) != everything:
            return ("end",)
    return None

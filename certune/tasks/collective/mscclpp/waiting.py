"""Who waits for whom when a launch does not end, in words."""

from __future__ import annotations

from certune.core import Json
from certune.tasks.collective.mscclpp.semantics.execution import Execution, Stuck
from certune.tasks.collective.mscclpp.semantics.space import Space

_SHOWN = 6


class _Suppliers:
    """Which stuck blocks would still give a counter, a packet or a barrier."""

    def __init__(self, execution: Execution) -> None:
        program = execution.program
        self._given: dict[object, list[int]] = {}
        for stuck in execution.stuck:
            items = program.items[stuck.block]
            rank = program.owners[stuck.block][0]
            left = next(i for i, item in enumerate(items) if item.where == stuck.where)
            for item in items[left:]:
                keys: list[object] = []
                if item.kind in ("signal", "release", "data"):
                    keys += item.counters
                if item.kind == "barrier":
                    keys.append((rank, "barrier", item.barrier))
                for move in item.moves:
                    for region in move.destinations:
                        if region.packet:
                            keys += range(region.start, region.start + 2 * move.units)
                for key in keys:
                    blocks = self._given.setdefault(key, [])
                    if not blocks or blocks[-1] != stuck.block:
                        blocks.append(stuck.block)

    def of(self, stuck: Stuck) -> list[int]:
        """The blocks that would give what `stuck` waits for."""
        if stuck.barrier >= 0:
            key: object = (stuck.where.rank, "barrier", stuck.barrier)
            return [block for block in self._given.get(key, []) if block != stuck.block]
        return self._given.get(stuck.counter or stuck.location, [])


def _what(space: Space, stuck: Stuck) -> str:
    if stuck.location >= 0:
        return f"the packet in {space.describe(stuck.location)}"
    if stuck.barrier >= 0:
        return f"barrier {stuck.barrier}, where {stuck.seen} of {stuck.needed} thread blocks are"
    if stuck.counter is None:
        return "nothing that is known"
    kind = stuck.counter[0]
    if kind == "semaphore":
        return f"semaphore {stuck.counter[2]}"
    return f"signal {stuck.needed} on its {kind} channel {stuck.counter[2]} ({stuck.seen} came)"


def deadlock(space: Space, execution: Execution) -> tuple[str, dict[str, Json]]:
    """The shortest chain or cycle of waiting that a stuck launch shows, and its data."""
    program = execution.program
    waiting = {stuck.block: stuck for stuck in execution.stuck}
    suppliers = _Suppliers(execution)
    best: list[Stuck] = []
    circular = False
    for first in execution.stuck:
        chain = [first]
        seen = {first.block: 0}
        cycle = False
        while True:
            givers = suppliers.of(chain[-1])
            if not givers:
                break
            follow = waiting[givers[0]]
            if follow.block in seen:
                chain = chain[seen[follow.block] :]
                cycle = True
                break
            seen[follow.block] = len(chain)
            chain.append(follow)
        if not best or len(chain) < len(best):
            best, circular = chain, cycle
        if len(best) == 1 or len(execution.stuck) > 64:
            break
    parts = [
        f"{stuck.where} ({program.operation(stuck.where).name}) waits for {_what(space, stuck)}"
        for stuck in best[:_SHOWN]
    ]
    if len(best) > _SHOWN:
        parts.append(f"{len(best) - _SHOWN} more wait")
    if circular:
        end = "; that is a cycle" if len(best) > 1 else "; it would give it itself, later"
    else:
        end = "; nobody gives it" if len(best) == 1 else "; nobody gives the last one"
    where = best[0].where
    data: dict[str, Json] = {
        "rank": where.rank,
        "threadblock": where.block,
        "operation": where.number,
        "stuck": len(execution.stuck),
        "cycle": circular,
    }
    return ", ".join(parts) + end, data

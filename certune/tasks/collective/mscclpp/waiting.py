"""Who waits for whom when a launch does not end, in words."""

from __future__ import annotations

from certune.core import Json
from certune.tasks.collective.mscclpp.semantics.execution import Execution, Stuck
from certune.tasks.collective.mscclpp.semantics.space import Space

_SHOWN = 6


def _suppliers(execution: Execution, stuck: Stuck) -> list[int]:
    """Stuck blocks that would still give what `stuck` waits for."""
    program = execution.program
    waiting = {other.block: other for other in execution.stuck}
    found = []
    for block, other in waiting.items():
        items = program.items[block]
        left = next(i for i, item in enumerate(items) if item.where == other.where)
        for item in items[left:]:
            signals = item.kind in ("signal", "release", "data")
            gives = stuck.counter is not None and signals and stuck.counter in item.counters
            packets = stuck.location >= 0 and any(
                region.packet and region.start <= stuck.location < region.start + 2 * move.units
                for move in item.moves
                for region in move.destinations
            )
            meets = item.kind == "barrier" and item.barrier == stuck.barrier
            meets &= program.owners[block][0] == stuck.where.rank and block != stuck.block
            if gives or packets or meets:
                found.append(block)
                break
    return found


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
    best: list[Stuck] = []
    circular = False
    for first in execution.stuck:
        chain = [first]
        seen = {first.block: 0}
        cycle = False
        while True:
            suppliers = _suppliers(execution, chain[-1])
            if not suppliers:
                break
            follow = waiting[suppliers[0]]
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
        "operation": where.index,
        "stuck": len(execution.stuck),
        "cycle": circular,
    }
    return ", ".join(parts) + end, data

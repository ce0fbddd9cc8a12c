"""Whether a program terminates, and up to which size.

A buffer of n bytes has chunks of b = ceil(n / N) bytes. A message carries at most E bytes, so at
most m = min(71, max(1, E // b)) chunks, and a step on more chunks is run as several messages. The
larger the buffer the more messages, and a connection holds only K.

If a program terminates with messages of m chunks it does with any m' > m: mapping the j-th last
slice of each operation for m' to its j-th last slice for m maps every edge of the precedence
graph (see `order`) to a path (both ends of a message have the same count; two sends that are K
apart are mapped to sends at least K apart). So there is one largest M that hangs, found by
bisection, and the program is safe exactly for n <= N * (E // (M + 1)).
"""

from __future__ import annotations

from dataclasses import dataclass

from certune.tasks.collective.msccl.compile import Code
from certune.tasks.collective.msccl.limits import SLOTS, message_bytes
from certune.tasks.collective.msccl.order import (
    Graph,
    Order,
    needs,
    operations_graph,
    slices_graph,
    wavefronts,
)
from certune.tasks.collective.msccl.program import Target

_MOST = 71
_LOOKED_AT = 20_000


@dataclass(frozen=True)
class Waiting:
    """One link of a circle: `operation` (a row of the code) waits, for what the next one does.

    `why` is ``program`` (comes later in the same thread block), ``message`` (for a message to
    arrive), ``slot`` (for room in a connection) or ``signal`` (for a dependence).
    """

    operation: int
    why: str


@dataclass(frozen=True)
class Termination:
    """Up to which size a program terminates.

    hangs_at:   largest number of chunks a message may have for the program to hang; 0 if it never
                hangs, None if it always does
    safe_bytes: largest safe buffer in bytes; None if every size is
    circle:     who waits for whom at `hangs_at`; the last waits for the first, or for a signal
                that never comes where `endless` is set
    """

    slots: int
    message_bytes: int
    hangs_at: int | None
    safe_bytes: int | None
    circle: tuple[Waiting, ...] = ()
    endless: bool = False

    def hangs(self, size: int, pieces: int) -> bool:
        """Whether a buffer of `size` bytes cut in `pieces` hangs."""
        if self.hangs_at is None:
            return True
        return allowed(size, pieces, self.message_bytes) <= self.hangs_at


def allowed(size: int, pieces: int, message: int) -> int:
    """m: chunks that a message of at most `message` bytes carries of a buffer of `size` bytes."""
    chunk = max(-(-size // pieces), 1)
    return min(max(message // chunk, 1), _MOST)


def termination(code: Code, target: Target | None) -> tuple[Termination, Order | None]:
    """Up to which size the program terminates, and an order of its operations if it can run.

    The program must have no problems with its connections.
    """
    header = code.program.header
    slots = SLOTS[header.protocol]
    message = message_bytes(header.protocol, target)
    top = min(max(int(code.count.max(initial=1)), 1), _MOST)
    if top == 1:
        graph = operations_graph(code, slots)
        order = wavefronts(graph)
        if not len(order.stuck):
            return Termination(slots, message, 0, None), order
    free = operations_graph(code)
    order = wavefronts(free)
    if len(order.stuck):
        circle, endless = _circle(free, order)
        return Termination(slots, message, None, 0, circle, endless), None
    low, high = 0, top + 1  # hangs at low (if > 0), terminates at high (if <= top)
    stuck: tuple[Graph, Order] | None = None
    probe = 1
    while high - low > 1:
        graph = slices_graph(code, probe, slots)
        found = wavefronts(graph)
        if len(found.stuck):
            low, stuck = probe, (graph, found)
            probe = top if low == 1 and high > top else (low + high) // 2
        else:
            high = probe
            probe = (low + high) // 2
        if high == 1:
            return Termination(slots, message, 0, None), order
    if stuck is None:
        return Termination(slots, message, 0, None), order
    circle, endless = _circle(*stuck)
    if low == top:
        return Termination(slots, message, None, 0, circle, endless), order
    safe = header.pieces * (message // (low + 1))
    return Termination(slots, message, low, safe, circle, endless), order


def _circle(graph: Graph, order: Order) -> tuple[tuple[Waiting, ...], bool]:
    """A short circle of events that wait for each other, or a wait for what never comes."""
    stuck = set(order.stuck.tolist())
    start = int(order.stuck[0])
    path: list[tuple[int, str]] = []
    seen: dict[int, int] = {}
    at = start
    while at not in seen:
        seen[at] = len(path)
        after, why = next((n, w) for n, w in needs(graph, at) if n in stuck or n < 0)
        path.append((at, why))
        if after < 0:
            return _shown(graph, path[-3:]), True
        at = after
    path = path[seen[at] :]
    best = path
    for event, _ in path[:: max(len(path) // 16, 1)]:
        shorter = _shortest(graph, stuck, event, len(best))
        if shorter is not None:
            best = shorter
    return _shown(graph, best), False


def _shortest(
    graph: Graph, stuck: set[int], start: int, limit: int
) -> list[tuple[int, str]] | None:
    """The shortest circle through `start` with fewer than `limit` events, if there is one."""
    came: dict[int, tuple[int, str]] = {}
    front, length = [start], 0
    while front and len(came) < _LOOKED_AT and length + 1 < limit:
        length += 1
        following: list[int] = []
        for event in front:
            for after, why in needs(graph, event):
                if after == start:
                    path = [(event, why)]
                    while path[-1][0] != start:
                        path.append(came[path[-1][0]])
                    return path[::-1]
                if after in stuck and after not in came:
                    came[after] = (event, why)
                    following.append(after)
        front = following
    return None


def _shown(graph: Graph, path: list[tuple[int, str]]) -> tuple[Waiting, ...]:
    """The path in operations; runs of slices of one operation are told once."""
    told: list[Waiting] = []
    for event, why in path:
        operation = int(graph.operation[event])
        if told and told[-1].operation == operation:
            told[-1] = Waiting(operation, why)
        else:
            told.append(Waiting(operation, why))
    if len(told) > 1 and told[0].operation == told[-1].operation:
        told.pop()
    return tuple(told)

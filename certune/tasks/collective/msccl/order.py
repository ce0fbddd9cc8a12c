"""Orders in which a program can run: wavefronts of its precedence graph, or who waits for whom.

A program is a network without choice: every thread block executes its operations one after the
other, each message has one sender and one receiver, a wait has one signal that ends it. So an
event (one message-sized slice of an operation) happens exactly when its predecessors have:

* the event before it in its thread block,
* for a receive, the send of the same message,
* for a wait, the signal that it waits for,
* for a send on a connection that holds K messages, the receive of the K-th message before it.

These are all conditions there are and none disables another (a marked graph: Commoner, Holt,
Even, Pnueli, 1971). Therefore the program terminates under every scheduling of its thread blocks
or under none, and it terminates exactly if this graph has no cycle and no wait without a signal.
The loop of the runtime over the pieces of a large buffer repeats the same graph with further
edges from one iteration to the next only, which add no cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from certune.tasks.collective.msccl.compile import Code
from certune.tasks.collective.msccl.program import SENDS, Bool, Int

_TRY = 256  # wavefronts after which a narrow program is run event by event instead
_NARROW = 24  # events a wavefront below which numpy does not pay


@dataclass(frozen=True, eq=False)
class Graph:
    """Events and their precedence.

    operation: [events] the operation of each event
    chained:   [events] whether the event before (index - 1) must come first
    message:   [events] the receive that this send allows, or -1
    origin:    [events] the send that this receive needs, or -1
    credit:    [events] the send that this receive allows (K messages later), or -1
    debit:     [events] the receive that this send needs, or -1
    wait_from, wait_on: the events that an event waits for (rows as in `Code`); -1 never comes
    """

    operation: Int
    chained: Bool
    message: Int
    origin: Int
    credit: Int
    debit: Int
    wait_from: Int
    wait_on: Int


@dataclass(frozen=True, eq=False)
class Order:
    """Events by wavefront: front k is order[start[k] : start[k + 1]].

    `stuck` holds events that can never happen; empty when the program terminates.
    """

    order: Int
    start: Int
    stuck: Int


def operations_graph(code: Code, slots: int | None = None) -> Graph:
    """The graph of whole operations; with `slots`, messages hold slots as if never split."""
    return _graph(code, np.arange(code.operations), code.count > 0, slots, None)


def slices_graph(code: Code, allowed: int, slots: int) -> Graph:
    """The graph of messages of at most `allowed` chunks over connections that hold `slots`."""
    pieces = np.maximum(-(-code.count // allowed), 1)
    if int(pieces.max(initial=1)) == 1:
        return operations_graph(code, slots)
    operation = np.repeat(np.arange(code.operations), pieces)
    begin = np.concatenate(([0], np.cumsum(pieces)))
    return _graph(code, operation, code.count[operation] > 0, slots, begin)


def _graph(
    code: Code, operation: Int, carries: Bool, slots: int | None, begin: Int | None
) -> Graph:
    events = len(operation)
    kind = code.kind[operation]
    block = code.block[operation]
    chained = np.zeros(events, dtype=np.bool_)
    chained[1:] = block[1:] == block[:-1]
    message = code.partner[operation]
    origin = code.origin[operation]
    wait_from, wait_on = code.wait_from, code.wait_on
    if begin is not None:
        within = np.arange(events) - begin[operation]
        message = np.where(message >= 0, begin[message] + within, -1)
        origin = np.where(origin >= 0, begin[origin] + within, -1)
        # Waits come before the first slice, signals after the last.
        wait_on = np.where(wait_on >= 0, begin[wait_on + 1] - 1, -1)
        waits = np.zeros(events, dtype=np.int64)
        waits[begin[:-1]] = np.diff(code.wait_from)
        wait_from = np.concatenate(([0], np.cumsum(waits)))
    credit = np.full(events, -1)
    debit = np.full(events, -1)
    if slots is not None and not code.problems:
        # A connection has one sending thread block: its sends are adjacent among all sends.
        sends = np.flatnonzero(SENDS[kind] & carries)
        late = np.flatnonzero(block[sends[slots:]] == block[sends[:-slots]])
        later, earlier = sends[late + slots], sends[late]
        credit[message[earlier]] = later
        debit[later] = message[earlier]
    return Graph(operation, chained, message, origin, credit, debit, wait_from, wait_on)


def wavefronts(graph: Graph) -> Order:
    """Run the graph: fronts of events, each after everything that it needs."""
    events = len(graph.operation)
    degree = _degrees(graph)
    follower, wait_to, wait_target = _successors(graph)
    message = np.where(graph.message >= 0, graph.message, events)
    credit = np.where(graph.credit >= 0, graph.credit, events)
    has_credit = bool((graph.credit >= 0).any())
    signalling = np.diff(wait_to) > 0
    has_waits = bool(signalling.any())
    mark = np.zeros(events + 1, dtype=np.int64)
    front = np.flatnonzero(degree[:-1] == 0)
    fronts, done = [front], len(front)
    while len(front):
        if len(fronts) == _TRY and done < _TRY * _NARROW and events > 4 * done:
            return _one_by_one(graph)
        found = [follower[front], message[front]]
        if has_credit:
            found.append(credit[front])
        for targets in found:  # no two events share a target of the same sort
            degree[targets] -= 1
        if has_waits and (by := front[signalling[front]]).size:
            waiters = wait_target[_spans(wait_to[by], wait_to[by + 1])]
            np.subtract.at(degree, waiters, 1)
            found.append(waiters)
        ready = np.concatenate(found)
        ready = ready[degree[ready] == 0]
        mark[ready] = np.arange(len(ready))
        front = ready[mark[ready] == np.arange(len(ready))]
        if len(front):
            fronts.append(front)
            done += len(front)
    order = np.concatenate(fronts)
    start = np.concatenate(([0], np.cumsum([len(front) for front in fronts])))
    stuck = np.flatnonzero(degree[:-1] > 0) if done < events else np.zeros(0, dtype=np.int64)
    return Order(order, start, stuck)


def _spans(begin: Int, end: Int) -> Int:
    """Concatenated ranges begin[k] … end[k] - 1."""
    size = end - begin
    total = np.cumsum(size)
    return np.repeat(begin - (total - size), size) + np.arange(int(total[-1]))


def _degrees(graph: Graph) -> Int:
    """How many predecessors each event has; one more entry that never gets to zero."""
    degree = np.diff(graph.wait_from) + graph.chained
    degree += (graph.origin >= 0).astype(np.int64) + (graph.debit >= 0)
    return np.append(degree, 2**62)


def _successors(graph: Graph) -> tuple[Int, Int, Int]:
    events = len(graph.operation)
    follower = np.full(events, events)
    chained = np.flatnonzero(graph.chained)
    follower[chained - 1] = chained
    waiter = np.repeat(np.arange(events), np.diff(graph.wait_from))
    real = graph.wait_on >= 0
    on, waiter = graph.wait_on[real], waiter[real]
    by = np.argsort(on, kind="stable")
    wait_to = np.concatenate(([0], np.cumsum(np.bincount(on, minlength=events))))
    return follower, wait_to, waiter[by]


def _one_by_one(graph: Graph) -> Order:
    """The same for narrow programs: a loop over single events."""
    events = len(graph.operation)
    degree = _degrees(graph).tolist()
    follower_column, wait_to_column, target_column = _successors(graph)
    follower, wait_to = follower_column.tolist(), wait_to_column.tolist()
    target = target_column.tolist()
    message = np.where(graph.message >= 0, graph.message, events).tolist()
    credit = np.where(graph.credit >= 0, graph.credit, events).tolist()
    front = [event for event in range(events) if degree[event] == 0]
    order: list[int] = []
    start = [0]
    while front:
        order.extend(front)
        start.append(len(order))
        ready: list[int] = []
        for event in front:
            for after in (follower[event], message[event], credit[event]):
                degree[after] -= 1
                if degree[after] == 0:
                    ready.append(after)
            for row in range(wait_to[event], wait_to[event + 1]):
                after = target[row]
                degree[after] -= 1
                if degree[after] == 0:
                    ready.append(after)
        front = ready
    stuck = [event for event in range(events) if degree[event] > 0]
    return Order(_column(order), _column(start), _column(stuck))


def _column(values: list[int]) -> Int:
    return np.array(values, dtype=np.int64)


def needs(graph: Graph, event: int) -> list[tuple[int, str]]:
    """The predecessors of an event, -1 for a signal that never comes, and why."""
    found: list[tuple[int, str]] = []
    if graph.chained[event]:
        found.append((event - 1, "program"))
    if graph.origin[event] >= 0:
        found.append((int(graph.origin[event]), "message"))
    if graph.debit[event] >= 0:
        found.append((int(graph.debit[event]), "slot"))
    for row in range(int(graph.wait_from[event]), int(graph.wait_from[event + 1])):
        found.append((int(graph.wait_on[row]), "signal"))
    return found

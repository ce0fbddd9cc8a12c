"""What must happen before what: the nodes and edges of a launch.

Nodes are the boundaries of segments, the slots that signal, wait or push to a port channel, the
joins of barriers, and the end of each rank's kernel. An edge is *strong* where what was written
before is also visible after (program order across a meeting of the threads, release → acquire,
barriers, the end of a kernel), *weak* where only the passing of time is certain (relaxed signals
and waits, a packet that was read tells that its writer had started).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from certune.tasks.collective.mscclpp.semantics.execution import Execution
from certune.tasks.collective.mscclpp.semantics.program import (
    Chains,
    Counter,
    Item,
    Program,
    Where,
)

UNCOVERED = 2**30  # a port transfer that no later signal of its channel completes


class TooMuch(Exception):
    """More accesses, pairs or nodes than are looked at; the message has the number."""


@dataclass(frozen=True)
class Segments:
    """For each item of a block the boundary that its segment begins with, and their number."""

    begins: tuple[int, ...]
    boundaries: int


def segments(items: list[Item]) -> Segments:
    """Number a block's boundaries: 0 at its start, one a nop, two a barrier, one at its end."""
    begins: list[int] = []
    boundary = 0
    for item in items:
        begins.append(boundary)
        boundary += {"nop": 1, "barrier": 2}.get(item.kind, 0)
    return Segments(tuple(begins), boundary + 2)


@dataclass
class Graph:
    """Nodes of one launch in an order that respects the edges.

    `edges[n]` lists (earlier node, strong). `own[n]` is (column, value) of what a node adds to
    the clocks, `ends[rank]` the node of the rank's end. `slot` are the nodes at which threads
    signal, wait or push to a port channel, `proxy` those at which the proxy has carried out a
    signal and all that was pushed to the channel before: only who waits for it learns of that.
    `relay` are the nodes at which a thread has read packets and writes others, unit by unit.
    Columns are blocks, then (block, port channel) pairs, then ranks.
    """

    program: Program
    segments: list[Segments]
    edges: list[list[tuple[int, bool]]] = field(default_factory=list)
    own: list[tuple[int, int] | None] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    boundary: dict[tuple[int, int], int] = field(default_factory=dict)
    slot: dict[tuple[int, int, int], int] = field(default_factory=dict)
    proxy: dict[tuple[int, int, int], int] = field(default_factory=dict)
    relay: dict[tuple[int, int, int, int], int] = field(default_factory=dict)
    port_columns: dict[tuple[int, int], int] = field(default_factory=dict)
    port_signals: dict[tuple[int, int], list[tuple[int, int, int]]] = field(default_factory=dict)

    @property
    def columns(self) -> int:
        """How many clock columns there are."""
        return len(self.program.items) + len(self.port_columns) + self.program.plan.ranks

    def rank_column(self, rank: int) -> int:
        """The column that tells whether a rank's kernel has started."""
        return len(self.program.items) + len(self.port_columns) + rank

    def strides(self) -> list[int]:
        """How much the value of each column grows a launch."""
        grows = [places.boundaries for places in self.segments]
        grows += [len(self.port_signals[key]) for key in self.port_columns]
        return grows + [1] * self.program.plan.ranks

    def covered(self, block: int, item: int, slot: int, channel: int) -> int:
        """The ordinal of the first signal that completes a transfer of this block; from 1."""
        begins = self.segments[block].begins
        for ordinal, (at, by, _) in enumerate(self.port_signals.get((block, channel), []), 1):
            later = begins[at] > begins[item]
            if later or (begins[at] == begins[item] and by == slot and at >= item):
                return ordinal
        return UNCOVERED


@dataclass(frozen=True)
class Ambiguity:
    """An operation whose partner is not determined, and why."""

    where: Where
    why: str


def ambiguities(program: Program, places: list[Segments]) -> Iterator[Ambiguity]:
    """Operations for which it depends on timing whom they meet."""
    for kinds, what in ((("wait", "acquire"), "waits on"), (("signal", "release"), "signals")):
        for counter, blocks in program.chains(kinds).items():
            name = "semaphore" if counter[0] == "semaphore" else f"{counter[0]} channel"
            if what == "waits on" and len(blocks) > 1:
                block, found = list(blocks.items())[1]
                yield Ambiguity(
                    program.items[block][found[0][0]].where,
                    f"another thread block waits on the same {name} too",
                )
            for block, found in blocks.items():
                begins = places[block].begins
                for (first, slot), (second, other) in pairwise(found):
                    if begins[first] == begins[second] and slot != other:
                        yield Ambiguity(
                            program.items[block][second].where,
                            f"two threads use the same {name} with no nop between them",
                        )
    uses: dict[tuple[int, int], dict[int, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for block, items in enumerate(program.items):
        for item in items:
            if item.kind == "barrier":
                uses[program.owners[block][0], item.barrier][block].append(item)
    for found_items in uses.values():
        flat = [item for listed in found_items.values() for item in listed]
        if len({item.participants for item in flat}) > 1 or any(
            item.participants < len(found_items) for item in flat
        ):
            yield Ambiguity(
                flat[0].where, "more thread blocks use the barrier than take part in it"
            )


def _releases(program: Program, block: int, chain: list[tuple[int, int]]) -> list[int]:
    """For each signal of a chain the index of the last one up to it that releases; -1 if none."""
    found: list[int] = []
    for index, (at, _) in enumerate(chain):
        earlier = found[-1] if found else -1
        found.append(index if program.items[block][at].strong else earlier)
    return found


def _signal_edges(
    graph: Graph, waits: dict[Counter, int], chains: Chains
) -> dict[tuple[int, int, int], list[tuple[int, bool]]]:
    """Wait (block, item, slot) → the signals that it certainly sees, with their strength."""
    program = graph.program
    result: dict[tuple[int, int, int], list[tuple[int, bool]]] = {}
    for counter, blocks in program.chains(("wait", "acquire")).items():
        signals = chains.get(counter, {})
        total = sum(map(len, signals.values()))
        initial = waits.get(counter, 0)
        released = {block: _releases(program, block, chain) for block, chain in signals.items()}
        for block, found in blocks.items():
            for ordinal, (number, slot) in enumerate(found, 1):
                needed = ordinal - initial
                acquires = program.items[block][number].strong
                edges: list[tuple[int, bool]] = []
                for source, chain in signals.items():
                    # All other signals and those before this one of its own block may come
                    # first; with fewer of them than are needed this one has come, too.
                    seen = max(0, min(len(chain), needed - total + len(chain)))
                    latest = {seen - 1}
                    if acquires and seen:
                        latest.add(released[source][seen - 1])
                    for index in sorted(latest - {-1}):
                        at, by = chain[index]
                        key = (source, at, by)
                        release = program.items[source][at].strong
                        edges.append((graph.proxy.get(key, graph.slot[key]), release and acquires))
                result[block, number, slot] = edges
    return result


def _packet_edges(graph: Graph) -> tuple[dict[int, set[int]], dict[int, list[Where]]]:
    """Boundary or relay → nodes that its packet reads tell of; contested packets.

    A packet tells that its writer's segment had begun or, where it was made of packets, that these
    had been read.
    """
    program = graph.program
    writers: dict[int, list[tuple[int, int, int]]] = defaultdict(list)  # block, item, node
    for block, items in enumerate(program.items):
        begins = graph.segments[block].begins
        for number, item in enumerate(items):
            for index, move in enumerate(item.moves):
                for region in move.destinations:
                    for unit in range(move.units) if region.packet else ():
                        start = graph.boundary[block, begins[number]]
                        node = graph.relay.get((block, number, index, unit), start)
                        writers[region.start + 2 * unit].append((block, number, node))
    edges: dict[int, set[int]] = defaultdict(set)
    for block, items in enumerate(program.items):
        begins = graph.segments[block].begins
        for number, item in enumerate(items):
            for index, move in enumerate(item.moves):
                for region in move.sources:
                    for unit in range(move.units) if region.packet else ():
                        end = graph.boundary[block, begins[number] + 1]
                        ends = {end, graph.relay.get((block, number, index, unit), end)}
                        for source, at, node in writers[region.start + 2 * unit]:
                            for reader in ends if (source, at) != (block, number) else ():
                                if node < reader:
                                    edges[reader].add(node)
    contested = {
        location: [program.items[block][number].where for block, number, _ in found]
        for location, found in writers.items()
        if len(found) > 1
    }
    return edges, contested


def build_graph(execution: Execution) -> tuple[Graph, dict[int, list[Where]]]:
    """The graph of a launch that ran to its end, and packets with several writers.

    Which of several writers a reader meets is not followed: it is taken to have heard of all who
    wrote before it in this run, which is more than it can be sure of. Where there are such
    packets, what the graph does not order is not ordered, and what it does may not be.
    """
    program = execution.program
    graph = Graph(program, [segments(items) for items in program.items])
    nodes: list[int] = []
    count = 0
    for event in execution.events:
        nodes.append(count)
        if event[0] == "boundary":
            graph.boundary[event[1], event[2]] = count
        elif event[0] == "relay":
            graph.relay[event[1:]] = count
        elif event[0] == "slot":
            place = (event[1], event[2], event[3])
            graph.slot[place] = count
            item = program.items[event[1]][event[2]]
            if event[3] < len(item.ports) and item.ports[event[3]] >= 0:
                count += 1
                graph.proxy[place] = count
                key = (event[1], item.ports[event[3]])
                graph.port_columns.setdefault(key, len(program.items) + len(graph.port_columns))
                graph.port_signals.setdefault(key, []).append((event[2], event[3], count))
        count += 1
    initial = {
        ("semaphore", rank, number): value
        for rank, gpu in enumerate(program.plan.gpus)
        for number, value in enumerate(gpu.semaphores)
    }
    seen = _signal_edges(graph, initial, program.chains(("signal", "release")))
    packets, contested = _packet_edges(graph) if execution.packeted else ({}, {})
    inside: dict[int, dict[int, int]] = defaultdict(dict)  # block → slot → last node of segment
    unmoved: set[int] = set()  # slot nodes that heard of nothing since their segment began
    joined: dict[int, int] = {}
    ordinals: dict[tuple[int, int], int] = defaultdict(int)
    latest: dict[int, int] = {}  # block → its last boundary so far
    for number, event in zip(nodes, execution.events, strict=True):
        edges: list[tuple[int, bool]] = []
        own: tuple[int, int] | None = None
        if event[0] == "boundary":
            block, boundary = event[1], event[2]
            own = (block, boundary + 1)
            if boundary:
                heard = [x for x in inside.pop(block, {}).values() if x not in unmoved]
                # Each of these comes after the boundary before.
                edges = [(node, True) for node in heard or (latest[block],)]
                if number in packets:
                    edges += [(node, False) for node in sorted(packets[number])]
            latest[block] = number
            if block in joined:
                edges.append((joined.pop(block), True))
        elif event[0] == "slot":
            block, at, slot = event[1], event[2], event[3]
            item = program.items[block][at]
            before = inside[block].get(slot, -1)
            others = seen.get((block, at, slot), ())
            if not others and (before < 0 or before in unmoved):
                unmoved.add(number)
            edges = [(latest[block] if before < 0 else before, True), *others]
            inside[block][slot] = number
            if (block, at, slot) in graph.proxy:
                key = (block, item.ports[slot])
                ordinals[key] += 1
                graph.edges.append(edges)
                graph.own.append(None)
                edges, own = [(number, True)], (graph.port_columns[key], ordinals[key])
        elif event[0] == "relay":
            block, at = event[1], event[2]
            edges.append((graph.boundary[block, graph.segments[block].begins[at]], True))
            edges += [(node, False) for node in sorted(packets.get(number, ()))]
        else:
            for block in event[3]:
                edges.append((latest[block], True))
                joined[block] = number
        graph.edges.append(edges)
        graph.own.append(own)
    for rank in range(program.plan.ranks):
        mine = [block for block, owner in enumerate(program.owners) if owner[0] == rank]
        graph.ends.append(len(graph.edges))
        graph.edges.append(
            [(graph.boundary[b, graph.segments[b].boundaries - 1], True) for b in mine]
        )
        graph.own.append(None)
    return graph, contested

"""SCCL's problem: is there a schedule of C chunks, S steps and R rounds? As a query to SAT.

Z. Cai, Z. Liu, S. Maleki, M. Musuvathi, T. Mytkowicz, J. Nelson, O. Saarikivi: Synthesizing
optimal collective algorithms, PPoPP 2021. A schedule has S synchronous steps; step t takes
r_t >= 0 rounds, the r_t sum to at most R, and in r rounds each capacity (a link, or a resource
that links share) lets r times as many chunks pass as its units of bandwidth. A node sends only
what it held before the step.

Variables: for each chunk, node and time t = 0 … S whether the node *holds* the chunk then (an
order encoding of its arrival), for each chunk, link and step whether the chunk is *sent*, for
each t and v whether the rounds of the first t steps are at least v (*spent*), and counters.

What the query leaves out is lost to no problem that has a solution:

- *Trimming.* From a schedule that works, drop every receipt of a chunk but the first at each
  node, then every send that no target depends on. It still works, its loads are no greater, a
  node gets a chunk once, and one that does not need the chunk itself passes it on, to nodes
  that reach a target in the steps left. Hence: at most one send into (chunk, node); a relay
  that holds a chunk sends it; nothing is held before the distance from the source or arrives
  later than S minus the distance to the nearest target.
- *Symmetry.* Chunks with the same source and the same targets are interchangeable: renaming
  them maps solutions to solutions and leaves every load as it is. Renaming them so that their
  holdings, read as words over (time, node), are in falling lexicographic order is always
  possible, since any family of words can be sorted. The order is demanded between neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import floor

from certune.core import Query
from certune.tasks.collective.solvers.cnf import FALSE, TRUE, Cnf

ENCODING = 1
"""Version of the query that an instance leads to; a change of its text raises it."""

UNREACHED = 2**30

Send = tuple[int, int, int, int]  # step, source, destination, chunk


@dataclass(frozen=True)
class Chunk:
    """One chunk: the node that holds it at the start, the nodes that must hold it at the end."""

    source: int
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Instance:
    """One question: nodes, links (from, to), capacities, chunks, and the limits.

    A capacity is a set of links, by index, and its width in units of bandwidth: in r rounds at
    most r * width chunks, rounded down, may pass these links together. Each link is in one.
    """

    nodes: int
    links: tuple[tuple[int, int], ...]
    capacities: tuple[tuple[tuple[int, ...], Fraction], ...]
    chunks: tuple[Chunk, ...]
    steps: int
    rounds: int


@dataclass(frozen=True)
class Encoding:
    """The query, and what its send variables mean."""

    query: Query
    sends: Mapping[int, Send] = field(repr=False)

    def decode(self, model: Iterable[int]) -> list[Send]:
        """The sends of a model of the query, sorted."""
        return sorted(self.sends[x] for x in model if x in self.sends)


def distances(nodes: int, links: Iterable[tuple[int, int]], sources: Iterable[int]) -> list[int]:
    """Fewest links from any of `sources` to each node; `UNREACHED` where there is no way."""
    following: list[list[int]] = [[] for _ in range(nodes)]
    for start, end in links:
        following[start].append(end)
    result = [UNREACHED] * nodes
    front = list(dict.fromkeys(sources))
    for node in front:
        result[node] = 0
    for node in front:
        for other in following[node]:
            if result[other] == UNREACHED:
                result[other] = result[node] + 1
                front.append(other)
    return result


def trimmed(chunks: Sequence[Chunk], sends: Iterable[Send]) -> list[Send]:
    """`sends` without second receipts and without what no target depends on, sorted.

    `sends` are causal: each sender holds the chunk before the step.
    """
    first: dict[tuple[int, int], Send] = {}
    for send in sorted(sends):
        _, _, destination, chunk = send
        if destination != chunks[chunk].source:
            first.setdefault((chunk, destination), send)
    needed = {(c, node) for c, chunk in enumerate(chunks) for node in chunk.targets}
    kept = []
    for send in sorted(first.values(), reverse=True):
        _, source, destination, chunk = send
        if (chunk, destination) in needed:
            needed.add((chunk, source))
            kept.append(send)
    return kept[::-1]


def encode(instance: Instance, most: int | None = None) -> Encoding:
    """The query that has a model exactly when `instance` has a solution (module docstring).

    Raises:
        TooLarge: it has more than `most` clauses.
    """
    return _Encoder(instance, most).encode()


class _Encoder:
    def __init__(self, instance: Instance, most: int | None) -> None:
        self.instance = instance
        self.cnf = Cnf(most)
        self.sends: dict[int, Send] = {}
        self.crossing: dict[tuple[int, int], list[int]] = defaultdict(list)  # (link, step)
        self.into: list[list[tuple[int, int]]] = [[] for _ in range(instance.nodes)]
        for index, (start, end) in enumerate(instance.links):
            self.into[end].append((index, start))

    def encode(self) -> Encoding:
        instance = self.instance
        back = tuple((end, start) for start, end in instance.links)
        from_source: dict[int, list[int]] = {}
        to_target: dict[tuple[int, ...], list[int]] = {}
        held = []
        for number, chunk in enumerate(instance.chunks):
            if chunk.source not in from_source:
                from_source[chunk.source] = distances(
                    instance.nodes, instance.links, [chunk.source]
                )
            if chunk.targets not in to_target:
                to_target[chunk.targets] = distances(instance.nodes, back, chunk.targets)
            holding = self._holding(chunk, from_source[chunk.source], to_target[chunk.targets])
            self._movement(number, chunk, holding)
            held.append(holding)
        self._capacities(self._spent())
        self._symmetry(held)
        return Encoding(self.cnf.query(), self.sends)

    def _holding(self, chunk: Chunk, away: list[int], left: list[int]) -> list[list[int]]:
        """For each node the literals that it holds `chunk` at times 0 … steps."""
        steps = self.instance.steps
        holding = []
        for node in range(self.instance.nodes):
            row: list[int] = []
            for time in range(steps + 1):
                if node == chunk.source:
                    row.append(TRUE)
                elif time < away[node] or away[node] + left[node] > steps:
                    row.append(FALSE)
                elif time == steps and node in chunk.targets:
                    row.append(TRUE)
                elif time > steps - left[node]:  # too late to be passed on in time
                    row.append(row[-1])
                else:
                    row.append(self.cnf.new())
            # A target beyond reach: time == steps < away. Its FALSE must be contradicted.
            if node in chunk.targets:
                self.cnf.add(row[-1])
            for now, then in pairwise(row):
                if now != then:
                    self.cnf.add(-now, then)
            holding.append(row)
        return holding

    def _movement(self, number: int, chunk: Chunk, holding: list[list[int]]) -> None:
        """A chunk arrives by one send from a holder; a relay passes it on."""
        cnf = self.cnf
        leaving: dict[int, list[int]] = defaultdict(list)
        for node, row in enumerate(holding):
            for step in range(self.instance.steps):
                before, after = row[step], row[step + 1]
                if before in (after, TRUE) or after == FALSE:
                    continue
                arriving = []
                for link, start in self.into[node]:
                    if holding[start][step] == FALSE:
                        continue
                    sent = cnf.new()
                    self.sends[sent] = (step, start, node, number)
                    self.crossing[link, step].append(sent)
                    leaving[start].append(sent)
                    arriving.append(sent)
                    cnf.add(-sent, holding[start][step])
                    cnf.add(-sent, after)
                    cnf.add(-sent, -before)
                cnf.add(-after, before, *arriving)
                cnf.at_most_one(arriving)
        for node, row in enumerate(holding):
            if node != chunk.source and node not in chunk.targets:
                cnf.add(-row[-1], *leaving[node])

    def _spent(self) -> list[list[int]]:
        """For t = 0 … steps and v = 0 … rounds: the first t steps take at least v rounds."""
        steps, rounds = self.instance.steps, self.instance.rounds
        spent = [[TRUE] + [FALSE] * rounds]
        spent += [[TRUE] + [self.cnf.new() for _ in range(rounds)] for _ in range(steps - 1)]
        spent.append([TRUE] * (rounds + 1))
        for before, after in pairwise(spent):
            for v in range(1, rounds + 1):
                self.cnf.add(-after[v], after[v - 1])
                self.cnf.add(-before[v], after[v])
        return spent

    def _capacities(self, spent: list[list[int]]) -> None:
        rounds = self.instance.rounds
        for links, width in self.instance.capacities:
            for step in range(self.instance.steps):
                sent = [x for link in links for x in self.crossing.get((link, step), ())]
                # More chunks than pass in r rounds take more than r; the last such r counts.
                limits = {floor(width * r) + 1: r for r in range(rounds + 1)}
                counted = self.cnf.at_least(sent, list(limits))
                for count, literal in counted.items():
                    for v in range(rounds + 1):
                        total = v + limits[count] + 1
                        reached = spent[step + 1][total] if total <= rounds else FALSE
                        self.cnf.add(-literal, -spent[step][v], reached)
                        if total > rounds:
                            break  # greater v say less

    def _symmetry(self, held: list[list[list[int]]]) -> None:
        classes: dict[Chunk, list[int]] = defaultdict(list)
        for number, chunk in enumerate(self.instance.chunks):
            classes[chunk].append(number)
        for numbers in classes.values():
            words = [self._word(held[number]) for number in numbers]
            for first, second in pairwise(words):
                self.cnf.ordered(first, second)

    def _word(self, holding: list[list[int]]) -> list[int]:
        """Holdings by time, then node, without constants and repetitions.

        Which positions are left out depends on source and targets alone, so that the words of
        one class line up.
        """
        literals = [row[t] for t in range(self.instance.steps + 1) for row in holding]
        return list(dict.fromkeys(x for x in literals if abs(x) != TRUE))

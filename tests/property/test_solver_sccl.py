"""The SAT encoding against exhaustive search on random small problems."""

from dataclasses import replace
from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st
from pysat.solvers import Solver

from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.schedule import from_sends
from certune.tasks.collective.solvers.problem import chunks_of, collective_of
from certune.tasks.collective.solvers.sccl import Instance, encode, trimmed


def exhaustive(instance):
    """Whether there is a schedule, by trying all: independent of the encoding's shortcuts.

    Holding more never hurts, so of the states that a step can lead to in r rounds only those
    that no other one contains are followed.
    """
    goal = frozenset((c, x) for c, chunk in enumerate(instance.chunks) for x in chunk.targets)
    start = frozenset((c, chunk.source) for c, chunk in enumerate(instance.chunks))
    seen = set()

    def outcomes(state, rounds):
        gains = {}
        for c in range(len(instance.chunks)):
            for link, (a, b) in enumerate(instance.links):
                if (c, a) in state and (c, b) not in state:
                    gains.setdefault((c, b), []).append(link)
        room = [floor(width * rounds) for _, width in instance.capacities]
        reached, tried = set(), set()

        def choose(items, room, state):
            key = (len(items), tuple(room), state)
            if key in tried:
                return
            tried.add(key)
            if not items:
                reached.add(state)
                return
            (gain, links), *rest = items
            blocked = True
            for link in links:
                under = [i for i, (group, _) in enumerate(instance.capacities) if link in group]
                if all(room[i] > 0 for i in under):
                    blocked = False
                    left = [r - (i in under) for i, r in enumerate(room)]
                    choose(rest, left, state | {gain})
            if blocked or any(r < len(items) for r in room):
                choose(rest, room, state)

        choose(sorted(gains.items()), room, state)
        return [s for s in reached if not any(s < other for other in reached)]

    def search(state, steps, rounds):
        if goal <= state:
            return True
        if not steps or not rounds or (state, steps, rounds) in seen:
            return False
        seen.add((state, steps, rounds))
        return any(
            search(after, steps - 1, rounds - spent)
            for spent in range(1, rounds + 1)
            for after in outcomes(state, spent)
            if after != state
        )

    return search(start, instance.steps, instance.rounds)


@st.composite
def instances(draw):
    kind = draw(st.sampled_from(["allgather", "broadcast", "gather", "scatter", "alltoall"]))
    nodes = draw(st.integers(2, 4 if kind in ("broadcast", "gather", "scatter") else 3))
    pairs = [(a, b) for a in range(nodes) for b in range(nodes) if a != b]
    cycle = [(x, (x + 1) % nodes) for x in range(nodes)]
    extra = draw(st.lists(st.sampled_from(pairs), max_size=2))
    links = tuple(sorted({*cycle, *extra}))
    widths = draw(st.lists(st.sampled_from([1, 1, 2]), min_size=len(links), max_size=len(links)))
    capacities = [((i,), Fraction(w)) for i, w in enumerate(widths)]
    if draw(st.booleans()):
        group = draw(st.sets(st.sampled_from(range(len(links))), min_size=2, max_size=3))
        width = draw(st.sampled_from([Fraction(1), Fraction(3, 2), Fraction(1, 2)]))
        capacities.append((tuple(sorted(group)), width))
    chunks = draw(st.integers(1, {2: 3, 3: 2, 4: 1}[nodes]))
    rooted = kind in ("broadcast", "gather", "scatter")
    root = draw(st.integers(0, nodes - 1)) if rooted else 0
    collective = collective_of(kind, nodes, chunks, root)
    steps = draw(st.integers(1, 3))
    return collective, Instance(nodes, links, tuple(capacities), chunks_of(collective), steps, 1)


def loads_fit(instance, sends):
    """Whether `sends` keep to the capacities within the instance's steps and rounds."""
    number = {pair: index for index, pair in enumerate(instance.links)}
    total = 0
    for step in range(instance.steps):
        used = [number[a, b] for t, a, b, _ in sends if t == step]
        needed = 0
        for group, width in instance.capacities:
            count = sum(link in group for link in used)
            while count > floor(width * needed):
                needed += 1
        total += needed
    return total <= instance.rounds


@settings(deadline=None, max_examples=150, derandomize=True)
@given(instances())
def test_the_encoding_agrees_with_exhaustive_search(case):
    """From one round up to the first number of rounds that is enough."""
    collective, instance = case
    for rounds in range(1, 7):
        instance = replace(instance, rounds=rounds)
        encoding = encode(instance)
        clauses = [
            [int(x) for x in line.split()[:-1]] for line in encoding.query.text.splitlines()[1:]
        ]
        with Solver("cadical153", bootstrap_with=clauses) as solver:
            found = solver.solve()
            model = solver.get_model()
        assert found == exhaustive(instance)
        if found:
            sends = encoding.decode(model)
            assert trimmed(instance.chunks, sends) == sends
            assert loads_fit(instance, sends)
            assert verify(from_sends(collective, ((*send, False) for send in sends))) is None
            return

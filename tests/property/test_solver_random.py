"""Greedy schedules on random topologies: right, within the bounds, whatever the bandwidths."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from certune.core import Context
from certune.tasks.collective import cost
from certune.tasks.collective.bounds import bandwidth_bound
from certune.tasks.collective.collective import KINDS, ROOTED
from certune.tasks.collective.dataflow import links_exist, verify
from certune.tasks.collective.schedule import parse_schedule
from certune.tasks.collective.solvers.compose import reverse
from certune.tasks.collective.solvers.greedy import GreedySynthesis
from certune.tasks.collective.solvers.problem import Problem
from certune.tasks.collective.topology import Link, Topology


@st.composite
def topologies(draw):
    """A directed cycle and other links, of several widths, some through shared resources."""
    ranks = draw(st.integers(2, 6))
    pairs = [(a, b) for a in range(ranks) for b in range(ranks) if a != b]
    extra = draw(st.lists(st.sampled_from(pairs), max_size=8))
    chosen = sorted({*((x, (x + 1) % ranks) for x in range(ranks)), *extra})
    resources = {"x": Fraction(30), "y": Fraction(75, 2)}
    widths = st.sampled_from([Fraction(25), Fraction(50), Fraction(100, 3)])
    vias = st.sampled_from([(), (), ("x",), ("y",), ("x", "y")])
    links = tuple(Link(a, b, Fraction(1), draw(widths), draw(vias)) for a, b in chosen)
    used = {name for link in links for name in link.via}
    return Topology("random", ranks, links, {k: v for k, v in resources.items() if k in used})


@settings(deadline=None, max_examples=60, derandomize=True)
@given(topologies(), st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 3))
def test_what_is_found_is_right_and_within_the_bounds(topology, kind, rank, seed):
    root = rank % topology.ranks if kind in ROOTED else 0
    problem = Problem(kind, topology, root)
    bound = bandwidth_bound(kind, topology, root).value
    found = list(GreedySynthesis(problem, seed=seed, work=300, restarts=1).solve(Context()))
    assert found
    for payload in found:
        schedule = parse_schedule(payload.data)
        assert verify(schedule) is None
        assert links_exist(schedule, topology) is None
        assert cost.bandwidth(schedule, topology) <= bound
        back = reverse(schedule)
        assert verify(back) is None
        assert links_exist(back, topology.reversed()) is None

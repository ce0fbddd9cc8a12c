"""Small random topologies and schedules for the tests of the collective family."""

from fractions import Fraction

from hypothesis import strategies as st

from certune.tasks.collective.collective import KINDS, OWNED, ROOTED, Collective
from certune.tasks.collective.schedule import from_sends
from certune.tasks.collective.topology import Link, Topology

BANDWIDTHS = [Fraction(x) for x in ("1", "2", "3", "1/2", "5/3", "25", "50")]
ALPHAS = [Fraction(x) for x in ("0", "1", "7/10", "3")]


@st.composite
def topologies(draw, most=6, shared=True):
    """Strongly connected: a cycle through all ranks and some further links."""
    ranks = draw(st.integers(2, most))
    order = draw(st.permutations(range(ranks)))
    pairs = {(order[i - 1], order[i]) for i in range(ranks)}
    rank = st.integers(0, ranks - 1)
    pairs |= {(a, b) for a, b in draw(st.sets(st.tuples(rank, rank), max_size=12)) if a != b}
    names = ["a", "b", "c"] if shared and draw(st.booleans()) else []
    resources = {name: draw(st.sampled_from(BANDWIDTHS)) for name in names}
    links = []
    for source, destination in sorted(pairs):
        via = draw(st.lists(st.sampled_from(names), unique=True, max_size=2)) if names else []
        alpha, bandwidth = draw(st.sampled_from(ALPHAS)), draw(st.sampled_from(BANDWIDTHS))
        links.append(Link(source, destination, alpha, bandwidth, tuple(via)))
    return Topology("random", ranks, tuple(links), resources)


@st.composite
def collectives(draw, ranks):
    kind = draw(st.sampled_from(KINDS))
    pieces = draw(st.integers(1, 2)) * (ranks if kind in OWNED else 1)
    root = draw(st.integers(0, ranks - 1)) if kind in ROOTED else 0
    return Collective(kind, ranks, pieces, root)


@st.composite
def right_schedules(draw, topology, collective):
    """A right schedule over the links of the topology, found by random useful sends.

    Copies spread what is held; sums are added where they are disjoint, which for allreduce and
    its like is steered: first everything of a chunk to one rank along a random tree, then on.
    """
    goal = list(zip(*(x.tolist() for x in collective.after()), strict=True))
    wanted = {}
    for rank, chunk in goal:
        wanted.setdefault(chunk, set()).add(rank)
    sends = []
    step_of = {}
    for chunk, ranks in sorted(wanted.items()):
        if collective.reducing:
            root = draw(st.sampled_from(sorted(ranks)))
            depth = _gather(draw, topology, root, chunk, sends)
        else:
            before = zip(*(x.tolist() for x in collective.before()), strict=True)
            root = next(rank for rank, held in before if held == chunk)
            depth = 0
        step_of[chunk] = _spread(draw, topology, root, ranks, chunk, depth, sends)
    return from_sends(collective, sends) if sends else None


def _spread(draw, topology, root, ranks, chunk, start, sends):
    arrival = {root: start}
    while not ranks <= arrival.keys():
        options = [
            x for x in topology.links if x.source in arrival and x.destination not in arrival
        ]
        link = draw(st.sampled_from(options))
        step = arrival[link.source] + draw(st.integers(0, 1))
        arrival[link.destination] = step + 1
        sends.append((step, link.source, link.destination, chunk, False))
    return max(arrival.values())


def _gather(draw, topology, root, chunk, sends):
    """Everything to `root` along a random tree, in steps by height."""
    parent, order = {root: None}, [root]
    while len(parent) < topology.ranks:
        options = [x for x in topology.links if x.destination in parent and x.source not in parent]
        link = draw(st.sampled_from(options))
        parent[link.source] = link.destination
        order.append(link.source)
    ready = dict.fromkeys(range(topology.ranks), 0)
    for rank in reversed(order[1:]):
        step = ready[rank] + draw(st.integers(0, 1))
        sends.append((step, rank, parent[rank], chunk, True))
        ready[parent[rank]] = max(ready[parent[rank]], step + 1)
    return ready[root]

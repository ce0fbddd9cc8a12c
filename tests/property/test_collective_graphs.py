"""Distances, flows and cuts against networkx, and passages against their definition."""

from fractions import Fraction
from itertools import pairwise

import networkx as nx
from collective_strategies import topologies
from hypothesis import given, settings
from hypothesis import strategies as st

from certune.tasks.collective.cuts import search
from certune.tasks.collective.distances import Distances, path
from certune.tasks.collective.flow import MaxFlow, Network, narrowest, passage, simple
from certune.tasks.collective.library import build
from certune.tasks.collective.topology import Link, Topology


def graph(topology, weight):
    found = nx.DiGraph()
    for link in topology.links:
        found.add_edge(link.source, link.destination, weight=weight(link))
    return found


@given(topologies(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_distances_are_shortest_and_paths_are_as_long(topology, hops):
    def length(link):
        return Fraction(1) if hops else link.alpha

    distances = Distances(topology, length)
    expected = dict(nx.all_pairs_dijkstra_path_length(graph(topology, length)))
    for source in range(topology.ranks):
        found, before = distances.from_rank(source)
        for target in range(topology.ranks):
            assert Fraction(found[target], distances.scale) == expected[source][target]
            assert distances.between(source, target) == expected[source][target]
            way = path(before, target)
            assert (way[0], way[-1]) == (source, target)
            links = [topology.find(a, b) for a, b in pairwise(way)]
            assert sum(map(length, links)) == expected[source][target]


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 10**20)), max_size=30)
)
@settings(max_examples=150, deadline=None)
def test_flows_are_maximum_and_cuts_minimum(arcs):
    arcs = [(tail, head, capacity) for tail, head, capacity in arcs if tail != head]
    reference = nx.DiGraph()
    reference.add_nodes_from(range(8))
    for tail, head, capacity in arcs:
        before = reference.get_edge_data(tail, head, {"capacity": 0})["capacity"]
        reference.add_edge(tail, head, capacity=before + capacity)
    flow = MaxFlow(8, arcs)
    value = flow.run(0, 7)
    assert value == nx.maximum_flow_value(reference, 0, 7)
    side = flow.side(0)
    assert 0 in side
    assert 7 not in side
    assert value == sum(c for tail, head, c in arcs if tail in side and head not in side)


@given(topologies(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_passage_is_taken_by_every_link(topology, data):
    links = data.draw(st.lists(st.sampled_from(topology.links), min_size=1, unique=True))
    for width, resources in (narrowest(topology, links), simple(topology, links)):
        free = [link for link in links if not set(link.via) & set(resources)]
        expected = sum((link.bandwidth for link in free), Fraction(0))
        expected += sum((topology.resources[name] for name in resources), Fraction(0))
        assert width == expected == passage(topology, links, resources)
    assert narrowest(topology, links)[0] <= passage(topology, links, ())


@given(topologies())
@settings(max_examples=60, deadline=None)
def test_a_network_carries_what_its_links_carry(topology):
    network = Network(topology)
    assert network.nodes == topology.ranks + 2 * len({n for x in topology.links for n in x.via})
    for rank in range(topology.ranks):
        into = sum(x.bandwidth for x in topology.links if x.destination == rank)
        arcs = sum(c for _, head, c in network.arcs if head == rank)
        assert arcs == into * network.scale


def test_the_way_back_may_be_the_narrow_one():
    """Two triangles: two links there, one back. No single rank and no bandwidth shows it."""
    triangles = [(a, b) for x in (0, 3) for a in range(x, x + 3) for b in range(x, x + 3) if a != b]
    pairs = [*triangles, (2, 3), (1, 4), (3, 2)]
    links = tuple(Link(a, b, Fraction(1), Fraction(10)) for a, b in pairs)
    sides = set(search("allreduce", Topology("triangles", 6, links), 0))
    assert frozenset((3, 4, 5)) in sides


def test_cuts_are_sought_in_large_topologies_within_an_effort():
    sides = set(search("allgather", build("ring", {"ranks": "600"}), 0))
    assert frozenset(range(600)) - {0} in sides
    assert len(sides) < 2000

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from certune.core import InvalidInput
from certune.tasks.collective.library import LIBRARY, build
from certune.tasks.collective.topology import Link, Topology, dump_topology, parse_topology

GOLDEN = Path(__file__).parent.parent / "golden" / "topologies.json"

VALID = {
    "format": "certune-topology/1",
    "name": "two boxes",
    "ranks": 3,
    "resources": {"nic": "25/2"},
    "links": [
        {"between": [0, 1], "alpha": 0.7, "bandwidth": 25, "count": 2},
        {"from": 1, "to": 2, "alpha": 1, "bandwidth": "25/2", "via": ["nic"]},
        {"from": 2, "to": 0, "alpha": 1.7, "bandwidth": 12.5, "via": ["nic"]},
    ],
}


def changed(**members):
    return json.dumps(VALID | members).encode()


def link(**members):
    return changed(links=[*VALID["links"][:2], VALID["links"][2] | members])


def test_library_digests_are_pinned():
    """Specifications name these, so a change of any is a change of the family's semantics."""
    golden = json.loads(GOLDEN.read_text())
    found = {name: build(name).digest for name in LIBRARY}
    found["fat-tree oversubscription=2 leaves=2"] = build(
        "fat-tree", {"oversubscription": "2", "leaves": "2"}
    ).digest
    found["nvswitch-nodes nodes=4 nics=2"] = build(
        "nvswitch-nodes", {"nodes": "4", "nics": "2"}
    ).digest
    assert found == golden


def test_the_dgx1_has_six_links_at_every_gpu():
    topology = build("dgx1")
    for links in (*topology.outgoing, *topology.incoming):
        assert sum(x.bandwidth for x in links) == 6 * 25
        assert sorted(x.bandwidth for x in links) == [25, 25, 50, 50]
    assert all(x.alpha == Fraction(7, 10) for x in topology.links)


@pytest.mark.parametrize(
    ("name", "parameters", "ranks", "links"),
    [
        ("ring", {"ranks": "2"}, 2, 2),
        ("ring", {"ranks": "5"}, 5, 10),
        ("line", {"ranks": "5"}, 5, 8),
        ("full", {"ranks": "5"}, 5, 20),
        ("star", {"ranks": "5"}, 5, 8),
        ("mesh2d", {"rows": "2", "columns": "3"}, 6, 14),
        ("torus2d", {"rows": "3", "columns": "3"}, 9, 36),
        ("torus2d", {"rows": "2", "columns": "3"}, 6, 18),
        ("torus2d", {"rows": "1", "columns": "4"}, 4, 8),
        ("mesh3d", {}, 8, 24),
        ("torus3d", {}, 27, 162),
        ("hypercube", {"dimensions": "4"}, 16, 64),
        ("switch", {"ranks": "4"}, 4, 12),
        ("fat-tree", {"leaves": "1"}, 4, 12),
        ("nvswitch-nodes", {"nodes": "1", "gpus": "2", "nics": "1"}, 2, 2),
    ],
)
def test_library_sizes(name, parameters, ranks, links):
    topology = build(name, parameters)
    assert (topology.ranks, len(topology.links)) == (ranks, links)


def test_gpus_share_nics():
    topology = build("nvswitch-nodes", {"nodes": "2", "gpus": "4", "nics": "2"})
    assert topology.find(1, 4).via == ("node0.nic0.out", "node1.nic0.in")
    assert topology.find(2, 7).via == ("node0.nic1.out", "node1.nic1.in")
    assert topology.find(0, 1).via == ("gpu0.out", "gpu1.in")
    assert topology.resources["node0.nic0.out"] == 25


def test_oversubscription_narrows_the_way_up():
    topology = build("fat-tree", {"oversubscription": "4"})
    assert topology.resources["leaf0.up"] == 25
    assert topology.find(0, 4).via == ("rank0.out", "leaf0.up", "leaf1.down", "rank4.in")


def test_every_parameter_is_described():
    for entry in LIBRARY.values():
        assert entry.summary
        assert all(p.name and p.help and p.default for p in entry.parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("dgx", {}, "did you mean 'dgx1'"),
        ("ring", {"rank": "4"}, "did you mean 'ranks'"),
        ("ring", {"ranks": "1"}, "give 2 to"),
        ("ring", {"ranks": "4096000000000"}, "give 2 to"),
        ("ring", {"ranks": "٤"}, "give 2 to"),
        ("ring", {"bandwidth": "0"}, "must be positive"),
        ("ring", {"bandwidth": "fast"}, "not a number"),
        ("ring", {"alpha": "-1"}, "must not be negative"),
        ("ring", {"alpha": "1e-7"}, "out of range"),
        ("torus3d", {"x": "4096", "y": "4096", "z": "4096"}, "ranks"),
        ("fat-tree", {"oversubscription": "0"}, "positive"),
        ("fat-tree", {"leaves": "1024", "ranks-per-leaf": "1024"}, "ranks"),
        ("nvswitch-nodes", {"nics": "9"}, "give 1 to 8"),
    ],
)
def test_what_the_library_refuses(name, parameters, message):
    with pytest.raises(InvalidInput, match=message) as caught:
        build(name, parameters)
    assert "topology" in caught.value.place


def test_a_file_is_read():
    topology = parse_topology(json.dumps(VALID).encode())
    assert topology.name == "two boxes"
    assert topology.find(1, 0) == Link(1, 0, Fraction(7, 10), Fraction(50))
    assert topology.find(1, 2) == Link(1, 2, Fraction(1), Fraction(25, 2), ("nic",))
    assert topology.find(2, 1) is None
    again = parse_topology(dump_topology(topology))
    assert dump_topology(again) == dump_topology(topology)
    assert again.digest == topology.digest


def test_both_directions_take_resources_in_opposite_order():
    links = [{"between": [0, 1], "alpha": 0, "bandwidth": 1, "via": ["a", "b"]}]
    data = {"format": "certune-topology/1", "name": "x", "ranks": 2, "links": links}
    topology = parse_topology(json.dumps(data | {"resources": {"a": 1, "b": 2}}).encode())
    assert topology.find(0, 1).via == ("a", "b")
    assert topology.find(1, 0).via == ("b", "a")
    assert topology.reversed().find(1, 0).via == ("b", "a")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not JSON"),
        (b"[]", "expected an object"),
        (b"\xff", "UTF-8"),
        (changed(format="certune-topology/2"), "certune-topology/1"),
        (changed(rank=3), "did you mean 'ranks'"),
        (changed(ranks=True), "ranks: expected an integer"),
        (changed(ranks=3.0), "ranks: expected an integer"),
        (changed(ranks=1), "give 2 to 4096"),
        (changed(ranks=10**9), "give 2 to 4096"),
        (changed(ranks=4), "rank 3 cannot be reached from rank 0"),
        (changed(name=""), "name: the name"),
        (changed(name="\ud800"), "lone surrogate"),
        (changed(name="\x1b[2J"), "printable"),
        (changed(name=3), "expected a string"),
        (changed(resources=[]), "resources: expected an object"),
        (changed(resources={"nic": 0}), "resources.nic: bandwidth is 0"),
        (changed(resources={"\x1b[2J": None}), "resources: the name"),
        (link(via=["n" * 10**6]), "unknown resource 'nnn"),
        (changed(resources={"nic": True}), "resources.nic: expected a number"),
        (changed(resources={"cable": 1}), "unknown resource 'nic'"),
        (changed(links={}), "links: expected an array"),
        (changed(links=[]), "cannot be reached"),
        (changed(links=VALID["links"][:2]), "rank 0 cannot be reached from rank 2"),
        (changed(links=[*VALID["links"], VALID["links"][1]]), "links[3]: a link from rank 1"),
        (link(alfa=1), "links[2]: unknown member 'alfa'; did you mean 'alpha'"),
        (link(between=[0, 2]), 'give "from" and "to" for one direction'),
        (link(to=2), "linked to itself"),
        (link(to=3), "links[2]: rank 3 is out of range"),
        (link(to=-1), "links[2]: rank -1 is out of range"),
        (link(to="0"), "links[2].to: expected an integer"),
        (link(alpha=-1), "links[2].alpha: alpha is -1"),
        (link(alpha=float("nan")), "NaN is not JSON"),
        (link(alpha=None), "links[2].alpha: expected a number"),
        (link(bandwidth=0), "links[2].bandwidth: bandwidth is 0; it must be positive"),
        (link(bandwidth="1/0"), "not a number"),
        (link(bandwidth=1e300), "out of range"),
        (link(bandwidth="1e999999999"), "not a number"),
        (link(bandwidth=0.1234567), "six decimals"),
        (link(count=0), "links[2].count: count is 0"),
        (link(count=1.5), "links[2].count: expected an integer"),
        (link(via="nic"), "links[2].via: expected an array"),
        (link(via=[1]), "names of resources"),
        (link(via=["nik"]), "links[2]: unknown resource 'nik'; did you mean 'nic'"),
        (link(via=["nic", "nic"]), "takes one resource twice"),
        (b'{"format":1,"format":2}', "given twice"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_a_file_may_not_say(data, text):
    with pytest.raises(InvalidInput) as caught:
        parse_topology(data, "box.json")
    assert text in str(caught.value)
    assert str(caught.value).startswith("box.json: ")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_links_are_found_by_their_ends():
    topology = build("dgx1")
    source = np.array([0, 0, 7, 3], dtype=np.int64)
    destination = np.array([3, 5, 4, 0], dtype=np.int64)
    found = topology.link_index(source, destination)
    assert found[1] == -1
    for index, a, b in zip(found[[0, 2, 3]], (0, 7, 3), (3, 4, 0), strict=True):
        assert topology.links[index] == topology.find(a, b)


def test_reversed_twice_is_the_same():
    topology = build("nvswitch-nodes", {"nics": "4"})
    assert topology.reversed().reversed() == topology
    assert topology.reversed().find(8, 0) == Link(
        8,
        0,
        topology.find(0, 8).alpha,
        topology.find(0, 8).bandwidth,
        topology.find(0, 8).via[::-1],
    )


def test_a_rank_that_cannot_answer_is_refused():
    there = Link(0, 1, Fraction(1), Fraction(1))
    with pytest.raises(InvalidInput, match="rank 0 cannot be reached from rank 1"):
        Topology("one way", 2, (there,))

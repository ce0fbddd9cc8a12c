from dataclasses import replace
from fractions import Fraction

import pytest

from certune.core import Metric
from certune.tasks.collective.bounds import check, known
from certune.tasks.collective.collective import KINDS
from certune.tasks.collective.cost import BANDWIDTH, LATENCY
from certune.tasks.collective.library import LIBRARY, build
from certune.tasks.collective.witness import demand

F = Fraction

# topology, parameters, collective, latency in µs, bandwidth in GB/s: known values
KNOWN = [
    # SCCL (PPoPP 2021): 2 steps, 7/6 rounds a chunk for allgather on the DGX-1
    ("dgx1", {}, "allgather", F(14, 10), F(1200, 7)),
    ("dgx1", {}, "reduce-scatter", F(14, 10), F(1200, 7)),
    ("dgx1", {}, "allreduce", F(14, 10), F(600, 7)),
    ("dgx1", {}, "broadcast", F(14, 10), F(150)),
    ("dgx1", {}, "alltoall", F(14, 10), F(75)),  # SCCL: 1/3 round a chunk: 8 x 25 / (8/3)
    ("ring", {"ranks": "8"}, "allgather", F(28, 10), F(400, 7)),
    ("ring", {"ranks": "8"}, "alltoall", F(28, 10), F(25)),
    ("line", {"ranks": "4"}, "broadcast", F(21, 10), F(25)),
    ("star", {"ranks": "5"}, "gather", F(7, 10), F(125)),  # to rank 0, in the middle
    ("full", {"ranks": "8"}, "alltoall", F(7, 10), F(200)),
    ("switch", {"ranks": "8"}, "allreduce", F(7, 10), F(100, 7)),
    ("switch", {"ranks": "8"}, "scatter", F(7, 10), F(200, 7)),
    # 8 NICs of 25 GB/s between two nodes; half of the buffer must cross each way.
    ("nvswitch-nodes", {}, "broadcast", F(17, 10), F(200)),
    ("nvswitch-nodes", {"nics": "1"}, "allgather", F(17, 10), F(50)),
    ("nvswitch-nodes", {"nics": "1"}, "allreduce", F(17, 10), F(25)),
    ("fat-tree", {"oversubscription": "4"}, "alltoall", F(25, 10), F(25) / 3),
]


@pytest.mark.parametrize(("name", "parameters", "kind", "latency", "bandwidth"), KNOWN)
def test_known_values(name, parameters, kind, latency, bandwidth):
    found = known(kind, build(name, parameters))
    assert [bound.metric for bound in found] == [LATENCY, BANDWIDTH]
    assert [bound.value for bound in found] == [latency, bandwidth]


@pytest.mark.parametrize("name", LIBRARY)
def test_bounds_follow_from_their_witnesses_and_no_other_claims_do(name):
    topology = build(name)
    for kind in KINDS:
        root = 1 if kind in ("broadcast", "reduce", "gather", "scatter") else 0
        for bound in known(kind, topology, root, [2**10, 2**26]):
            assert bound.kind == "proven"
            assert check(bound, kind, topology, root)
            for changes in (
                {"value": bound.value * F(99, 100)},
                {"value": bound.value * F(101, 100)},
                {"claim": "nothing is ever better"},
                {"scope": {"steps": F(3)}},
                {"name": "another"},
            ):
                assert not check(replace(bound, **changes), kind, topology, root)


def test_a_witness_is_about_its_topology_and_collective():
    dgx1 = build("dgx1")
    slower = build("dgx1", {"bandwidth": "24"})
    for bound in known("allgather", slower, 0, [2**26])[1:]:
        assert not check(bound, "allgather", dgx1)
    cut = known("alltoall", dgx1)[1]
    assert not check(cut, "allgather", dgx1)
    assert not check(replace(cut, metric=Metric("bandwidth", "GB/s", "lower")), "alltoall", dgx1)


CUT = {"ranks": [0, 1, 2, 3], "resources": []}
WRONG = [
    ("collective/cut", {}),
    ("collective/cut", CUT | {"ranks": []}),
    ("collective/cut", CUT | {"ranks": list(range(8))}),
    ("collective/cut", CUT | {"ranks": [0, 8]}),
    ("collective/cut", CUT | {"ranks": [True]}),
    ("collective/cut", CUT | {"ranks": "0123"}),
    ("collective/cut", CUT | {"ranks": [[0]]}),
    ("collective/cut", CUT | {"ranks": {"0": 1}}),
    ("collective/cut", CUT | {"resources": ["nic"]}),
    ("collective/cut", CUT | {"resources": None}),
    ("collective/cut", CUT | {"resources": [{}]}),
    ("collective/traffic", {"parts": [[0, 1], [2, 3]], "resources": []}),
    ("collective/traffic", {"parts": [list(range(8)), []], "resources": []}),
    ("collective/traffic", {"parts": [list(range(8))], "resources": []}),
    ("collective/traffic", {"parts": [list(range(8)), list(range(8))], "resources": []}),
    ("collective/traffic", {"parts": "01", "resources": []}),
    ("collective/metric", {"lengths": "hops"}),
    ("collective/metric", {"lengths": ["hops"]}),
    ("collective/time", {"size": 1}),
    ("collective/time", {"size": "1", "latency": {}, "hops": {}, "bandwidth": {}}),
    ("collective/guess", CUT),
    ("", {}),
]


@pytest.mark.parametrize(("name", "evidence"), WRONG)
def test_malformed_witnesses_show_nothing(name, evidence):
    bound = replace(known("allreduce", build("dgx1"))[1], value=F(10**9))
    assert not check(replace(bound, check=name, evidence=evidence), "allreduce", build("dgx1"))


def test_paths_between_pairs_that_need_nothing_show_nothing():
    topology = build("line", {"ranks": "4"})
    bound = known("broadcast", topology, 1)[0]
    assert bound.evidence["path"] == [1, 2, 3]
    for path in ([0, 1, 2, 3], [1], [], [1, 1], [1, 4]):
        assert not check(replace(bound, evidence={"path": path}), "broadcast", topology, 1)
    gather = known("gather", topology, 1)[0]
    assert gather.evidence["path"] == [3, 2, 1]


def test_a_path_that_is_not_shortest_shows_nothing():
    topology = build("ring", {"ranks": "8"})
    bound = known("allgather", topology)[0]
    detour = replace(bound, evidence={"path": [0, 7, 6, 5, 4, 3]}, value=F(35, 10))
    assert not check(detour, "allgather", topology)
    assert not check(replace(detour, value=F(21, 10)), "allgather", topology)


def test_what_must_cross_a_cut():
    side = frozenset((0, 1, 2))
    whole = {"allreduce", "broadcast"}
    for kind in KINDS:
        amount = demand(kind, 8, 0, side)
        expected = {"allgather": F(3, 8), "reduce-scatter": F(5, 8), "scatter": F(5, 8)}
        expected |= {"alltoall": F(15, 8)} | dict.fromkeys(whole, F(1))
        assert amount == expected.get(kind, 0)
    assert demand("reduce", 8, 5, side) == 1
    assert demand("gather", 8, 5, side) == F(3, 8)
    assert demand("broadcast", 8, 5, side) == 0


def test_time_at_a_size_is_at_least_the_latency():
    topology = build("dgx1")
    latency, bandwidth, small, large = known("allgather", topology, 0, [1, 2**30])
    assert small.value > latency.value
    assert large.value == F(14, 10) + 2**30 / (1000 * bandwidth.value)
    assert (small.metric.name, large.metric.name) == ("time@1", f"time@{2**30}")

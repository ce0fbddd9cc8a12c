import pytest
from bruteforce import judge

from certune.core import InvalidInput
from certune.tasks.collective import cost
from certune.tasks.collective.baselines import (
    BASELINES,
    baseline,
    default_baseline,
    reversed_schedule,
)
from certune.tasks.collective.collective import KINDS, ROOTED
from certune.tasks.collective.cycles import cycle, disjoint_cycles
from certune.tasks.collective.dataflow import links_exist, verify
from certune.tasks.collective.library import LIBRARY, build
from certune.tasks.collective.schedule import dump_schedule

# Where an algorithm has nothing to run on; everywhere else it must work.
NO_CYCLE = {"line", "star"}
LINKED = {"full", "switch", "fat-tree", "nvswitch-nodes"}
POWERS = {"dgx1", "hypercube", "mesh3d"}


def works(name, topology, kind, root):
    if name in ("ring", "rings"):
        return topology not in NO_CYCLE
    if name == "recursive":
        return topology in LINKED | POWERS
    if name == "direct":
        middle = topology == "star" and kind in ROOTED and root == 0
        return topology in LINKED or middle
    return True


# Smaller than by default, where many rings would be sought many times.
SMALLER = {"nvswitch-nodes": {"gpus": "4", "nics": "2"}}


@pytest.mark.parametrize("name", LIBRARY)
def test_every_baseline_is_right_on_every_topology(name):
    topology = build(name, SMALLER.get(name))
    for kind in KINDS:
        root = topology.ranks - 1 if kind in ROOTED else 0
        for algorithm in BASELINES:
            if not works(algorithm, name, kind, root):
                with pytest.raises(InvalidInput):
                    baseline(algorithm, kind, topology, root)
                continue
            schedule = baseline(algorithm, kind, topology, root)
            assert schedule.collective.kind == kind
            assert schedule.collective.root == root
            assert verify(schedule) is None
            assert links_exist(schedule, topology) is None
            if schedule.sends < 3000:
                assert judge(dump_schedule(schedule)) is None


@pytest.mark.parametrize("name", LIBRARY)
def test_the_default_works_everywhere(name):
    topology = build(name)
    for kind in KINDS:
        chosen, schedule = default_baseline(kind, topology)
        assert chosen in BASELINES
        assert verify(schedule) is None
        assert links_exist(schedule, topology) is None


def test_the_default_is_the_ring_that_everybody_starts_from():
    topology = build("dgx1")
    assert cycle(topology) == (0, 3, 2, 1, 5, 6, 7, 4)
    for kind in ("allgather", "reduce-scatter", "allreduce", "broadcast", "reduce"):
        assert default_baseline(kind, topology)[0] == "ring"
    assert default_baseline("alltoall", topology)[0] == "routed"
    assert default_baseline("alltoall", build("switch"))[0] == "direct"
    assert default_baseline("allgather", build("line"))[0] == "tree"


def test_six_disjoint_rings_on_the_dgx1():
    topology = build("dgx1")
    used = {}
    for found in disjoint_cycles(topology):
        assert sorted(found) == list(range(8))
        for pair in zip(found, (*found[1:], found[0]), strict=True):
            used[pair] = used.get(pair, 0) + 1
    assert used == {(x.source, x.destination): x.bandwidth / 25 for x in topology.links}


def test_rings_do_not_take_a_port_twice():
    assert len(disjoint_cycles(build("switch"))) == 1
    assert len(disjoint_cycles(build("nvswitch-nodes"))) == 8


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("torus2d", {"rows": "5", "columns": "5"}),
        ("mesh2d", {"rows": "4", "columns": "5"}),
        ("mesh2d", {"rows": "5", "columns": "6"}),
        ("hypercube", {"dimensions": "7"}),
        ("nvswitch-nodes", {"nodes": "4", "nics": "1"}),
        ("full", {"ranks": "2"}),
    ],
)
def test_cycles_are_cycles(name, parameters):
    topology = build(name, parameters)
    found = cycle(topology)
    assert sorted(found) == list(range(topology.ranks))
    assert all(topology.find(a, b) for a, b in zip(found, (*found[1:], found[0]), strict=True))


def test_no_cycle_where_there_is_none():
    assert cycle(build("mesh2d", {"rows": "3", "columns": "3"})) is None
    assert cycle(build("star")) is None


def test_pieces_can_be_chosen():
    topology = build("dgx1")
    for name in ("ring", "rings", "tree", "recursive", "routed"):
        for kind in KINDS:
            schedule = baseline(name, kind, topology, pieces=24)
            assert schedule.collective.pieces == 24
            assert verify(schedule) is None
    with pytest.raises(InvalidInput, match="multiple of 8"):
        baseline("ring", "allgather", topology, pieces=12)


def test_recursive_halving_and_doubling_takes_two_log_steps():
    topology = build("full", {"ranks": "16"})
    schedule = baseline("recursive", "allreduce", topology)
    assert schedule.steps == 8
    assert cost.rounds(schedule, topology) == 2 * 15
    with pytest.raises(InvalidInput, match="power of two"):
        baseline("recursive", "allreduce", build("full", {"ranks": "6"}))


def test_unknown_ones_are_refused_with_the_nearest():
    with pytest.raises(InvalidInput, match="did you mean 'ring'"):
        baseline("rng", "allgather", build("dgx1"))


def test_too_many_sends_are_refused():
    with pytest.raises(InvalidInput, match="more than"):
        baseline("ring", "alltoall", build("ring", {"ranks": "512"}))


def test_what_cannot_be_reversed():
    topology = build("dgx1")
    for kind in ("allreduce", "alltoall", "reduce"):
        with pytest.raises(InvalidInput, match="not reversed"):
            reversed_schedule(baseline("ring", kind, topology))

"""The greedy search: right, deterministic, within its limits, and not far from the bounds."""

import subprocess
import sys
from fractions import Fraction

import pytest

from certune.core import Context, Payload
from certune.tasks.collective import cost
from certune.tasks.collective.bounds import bandwidth_bound
from certune.tasks.collective.collective import KINDS, ROOTED
from certune.tasks.collective.dataflow import links_exist, verify
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import parse_schedule
from certune.tasks.collective.solvers.greedy import GreedySynthesis
from certune.tasks.collective.solvers.problem import Problem

DGX1 = build("dgx1")


def bound_of(problem):
    kind = "allgather" if problem.kind == "allreduce" else problem.kind
    return bandwidth_bound(kind, problem.topology, problem.root).value


def run(problem, **options):
    """The schedules that are yielded, each verified."""
    found = []
    for item in GreedySynthesis(problem, **options).solve(Context()):
        assert isinstance(item, Payload)
        schedule = parse_schedule(item.data)
        assert verify(schedule) is None
        assert links_exist(schedule, problem.topology) is None
        found.append(schedule)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("dgx1", {}),
        ("line", {"ranks": "5"}),
        ("star", {"ranks": "5"}),
        ("mesh2d", {"rows": "2", "columns": "3"}),
        ("switch", {"ranks": "5"}),
        ("fat-tree", {"leaves": "2", "ranks-per-leaf": "3", "oversubscription": "2"}),
        ("nvswitch-nodes", {"gpus": "3", "nics": "1"}),
    ],
)
def test_every_collective_on_every_kind_of_topology(kind, name, parameters):
    topology = build(name, parameters)
    problem = Problem(kind, topology, 3 if kind in ROOTED else 0)
    found = run(problem, sends=1000, work=4000, restarts=1)
    bandwidths = [cost.bandwidth(schedule, topology) for schedule in found]
    assert bandwidths
    assert bandwidths == sorted(set(bandwidths))
    assert bandwidths[-1] <= bandwidth_bound(kind, topology, problem.root).value


def test_dgx1_allgather_meets_the_bandwidth_bound():
    problem = Problem("allgather", DGX1)
    found = run(problem, bandwidth=bound_of(problem))
    assert cost.bandwidth(found[-1], DGX1) == Fraction(1200, 7)


def test_sixty_four_ranks():
    problem = Problem("allgather", build("torus2d", {"rows": "8", "columns": "8"}))
    found = run(problem, sends=5000, work=9000)
    best = max(cost.bandwidth(s, problem.topology) for s in found)
    assert best > bound_of(problem) * Fraction(9, 10)


def test_latency_takes_the_fewest_steps():
    problem = Problem("allgather", DGX1, objective="latency")
    assert [s.steps for s in run(problem)] == [2]


def test_a_frontier_has_few_steps_and_high_bandwidth():
    problem = Problem("allgather", DGX1, objective="frontier", sizes=(1024, 2**30))
    found = run(problem, work=12_000)
    assert min(s.steps for s in found) == 2
    assert max(cost.bandwidth(s, DGX1) for s in found) == Fraction(1200, 7)


def test_islands_get_each_chunk_once():
    topology = build("nvswitch-nodes", {"nodes": "3", "gpus": "4", "nics": "4"})
    found = run(Problem("allgather", topology), sends=300, work=300)
    for schedule in found:
        crossing = [
            (int(b) // 4, int(c))
            for a, b, c in zip(schedule.source, schedule.destination, schedule.chunk, strict=True)
            if a // 4 != b // 4
        ]
        assert len(crossing) == len(set(crossing))


def test_what_is_too_large_is_left_alone():
    large = Problem("alltoall", build("torus2d", {"rows": "20", "columns": "20"}))
    assert not GreedySynthesis(large).covers
    assert run(large) == []


def test_stopping():
    problem = Problem("allgather", DGX1)
    assert list(GreedySynthesis(problem).solve(Context(stopped=lambda: True))) == []


def test_seeds_differ_and_repeat():
    problem = Problem("alltoall", build("torus2d", {"rows": "3", "columns": "3"}))

    def digests(seed):
        solver = GreedySynthesis(problem, seed=seed, work=3000)
        return [x.digest for x in solver.solve(Context())]

    assert digests(0) == digests(0)
    assert digests(0) != digests(1)


def test_the_sequence_is_the_same_in_every_process():
    program = (
        "from certune.core import Context\n"
        "from certune.tasks.collective.library import build\n"
        "from certune.tasks.collective.solvers.greedy import GreedySynthesis\n"
        "from certune.tasks.collective.solvers.problem import Problem\n"
        "for kind in ('allgather', 'alltoall', 'allreduce'):\n"
        "    solver = GreedySynthesis(Problem(kind, build('dgx1')), work=6_000)\n"
        "    for payload in solver.solve(Context()):\n"
        "        print(payload.digest)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) > 4

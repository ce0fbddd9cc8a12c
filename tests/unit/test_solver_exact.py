"""Exact synthesis: known points of SCCL's frontiers, infeasible neighbours, evidence."""

import dataclasses
import subprocess
import sys
from fractions import Fraction

import pytest

from certune.core import Answer, Bound, Context, NotRepeatable, Payload, Unavailable
from certune.tasks.collective import cost
from certune.tasks.collective.bounds import bandwidth_bound
from certune.tasks.collective.dataflow import links_exist, verify
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import parse_schedule
from certune.tasks.collective.solvers import infeasible, of
from certune.tasks.collective.solvers.exact import ExactSynthesis, Reach
from certune.tasks.collective.solvers.problem import Problem, chunks_per_rank
from certune.tasks.collective.solvers.sccl import encode, trimmed
from certune.verifier.sat import SatProver

DGX1 = build("dgx1")
PROVER = SatProver()


def decide(kind, chunks, steps, rounds, topology=DGX1, root=0):
    """(result, schedule): a schedule that was found is verified here."""
    problem = Problem(kind, topology, root)
    instance = problem.instance(chunks, steps, rounds)
    encoding = encode(instance)
    answer = PROVER.decide(encoding.query, seconds=120)
    if answer.result != "sat":
        return answer.result, None
    sends = encoding.decode(answer.model)
    assert trimmed(instance.chunks, sends) == sends
    schedule = problem.schedule(chunks, sends)
    assert verify(schedule) is None
    assert links_exist(schedule, topology) is None
    assert schedule.steps <= steps
    assert cost.rounds(schedule, topology) <= rounds
    assert chunks_per_rank(schedule.collective) == chunks
    return "sat", schedule


# Tables 4 and 5 of SCCL (PPoPP 2021), and neighbours that its procedure passes on the way.
@pytest.mark.parametrize(
    ("kind", "chunks", "steps", "rounds", "result"),
    [
        ("allgather", 1, 2, 2, "sat"),
        ("allgather", 2, 2, 3, "sat"),
        ("allgather", 3, 2, 4, "unsat"),
        ("allgather", 4, 2, 5, "unsat"),
        ("allgather", 5, 2, 6, "unsat"),
        ("allgather", 6, 2, 8, "unsat"),
        ("allgather", 1, 1, 9, "unsat"),
        ("allgather", 3, 3, 4, "sat"),
        ("allgather", 4, 3, 5, "sat"),
        ("broadcast", 2, 2, 2, "sat"),
        ("broadcast", 6, 3, 3, "sat"),
        ("broadcast", 6, 2, 3, "unsat"),
        ("broadcast", 12, 4, 4, "sat"),
        ("broadcast", 18, 5, 5, "sat"),
        ("gather", 6, 3, 7, "sat"),
        ("gather", 2, 3, 2, "unsat"),
        ("scatter", 6, 3, 7, "sat"),
        ("alltoall", 1, 2, 3, "sat"),
        ("alltoall", 1, 3, 2, "unsat"),
        ("alltoall", 3, 2, 8, "sat"),
        ("alltoall", 3, 2, 7, "unsat"),
    ],
)
def test_dgx1(kind, chunks, steps, rounds, result):
    assert decide(kind, chunks, steps, rounds)[0] == result


def test_dgx1_allgather_meets_the_bandwidth_bound_in_three_steps():
    result, schedule = decide("allgather", 6, 3, 7)
    assert result == "sat"
    assert cost.bandwidth(schedule, DGX1) == bandwidth_bound("allgather", DGX1).value


@pytest.mark.parametrize("name", ["torus2d", "hypercube"])
def test_sixteen_ranks(name):
    topology = build(name, {"dimensions": "4"} if name == "hypercube" else {})
    assert decide("allgather", 1, 4, 4, topology)[0] == "sat"
    assert decide("allgather", 1, 4, 3, topology)[0] == "unsat"
    assert decide("allgather", 1, 3, 12, topology)[0] == "unsat"


REACH = Reach()


def solve(kind, topology=DGX1, reach=REACH, prover=PROVER, **more):
    problem = Problem(kind, topology, **more)
    bandwidth = bandwidth_bound("allgather" if kind == "allreduce" else kind, topology).value
    return list(ExactSynthesis(problem, bandwidth, reach).solve(Context(prover=prover)))


def points(found, topology=DGX1):
    """(chunks, steps, rounds) of the payloads, each verified."""
    result = []
    for item in found:
        if isinstance(item, Payload):
            schedule = parse_schedule(item.data)
            assert verify(schedule) is None
            assert links_exist(schedule, topology) is None
            rounds = cost.rounds(schedule, topology)
            result.append((chunks_per_rank(schedule.collective), schedule.steps, rounds))
    return result


def test_the_dgx1_frontier_begins_with_the_fewest_steps_and_ends_at_the_bound():
    found = solve("allgather")
    assert points(found) == [(1, 2, 2), (2, 2, 3), (3, 3, 4), (4, 3, 5), (5, 3, 6), (6, 3, 7)]
    bounds = [x for x in found if isinstance(x, Bound)]
    assert {(b.evidence["chunks"], b.evidence["steps"], b.evidence["rounds"]) for b in bounds} == {
        (3, 2, 4), (4, 2, 5), (5, 2, 7), (6, 2, 8), (7, 2, 10), (8, 2, 11)
    }  # fmt: skip
    last = parse_schedule([x for x in found if isinstance(x, Payload)][-1].data)
    assert cost.bandwidth(last, DGX1) == bandwidth_bound("allgather", DGX1).value
    # No bound is beaten by what was found beside it.
    for item in found:
        if isinstance(item, Payload):
            schedule = parse_schedule(item.data)
            values = {
                "chunks": Fraction(chunks_per_rank(schedule.collective)),
                "steps": Fraction(schedule.steps),
                "rounds": Fraction(cost.rounds(schedule, DGX1)),
            }
            assert not any(b.beaten_by(values) for b in bounds)
    tight = next(b for b in bounds if b.evidence["chunks"] == 6)
    impossible = {"chunks": Fraction(6), "steps": Fraction(2), "rounds": Fraction(8)}
    assert tight.beaten_by(impossible)
    assert not tight.beaten_by(impossible | {"rounds": Fraction(9)})
    assert not tight.beaten_by(impossible | {"steps": Fraction(3)})


@pytest.mark.parametrize("kind", ["reduce-scatter", "reduce", "gather", "scatter", "alltoall"])
def test_other_collectives(kind):
    found = solve(kind, reach=Reach(chunks=3, steps=1))
    assert points(found)
    for bound in (x for x in found if isinstance(x, Bound)):
        assert kind in bound.claim
        assert infeasible.recheck_infeasible(Problem(kind, DGX1), bound, PROVER)


def test_allreduce_is_composed():
    found = solve("allreduce", reach=Reach(chunks=3, steps=1))
    assert points(found) == [(8, 4, 4), (16, 4, 6), (24, 6, 8)]
    assert not [x for x in found if isinstance(x, Bound)]


@pytest.mark.parametrize(
    ("name", "parameters", "steps"),
    [
        ("dgx1", {}, 2),
        ("full", {"ranks": "6"}, 1),
        ("hypercube", {"dimensions": "3"}, 3),
        ("torus2d", {"rows": "4", "columns": "4"}, 4),
    ],
)
def test_a_small_allreduce_takes_no_more_steps_than_the_distance(name, parameters, steps):
    topology = build(name, parameters)
    first = solve("allreduce", topology, objective="latency")[0]
    schedule = parse_schedule(first.data)
    assert schedule.steps == steps
    assert verify(schedule) is None
    assert links_exist(schedule, topology) is None


def test_where_adding_up_does_not_save_steps_the_halves_remain():
    ring = build("ring", {"ranks": "5"})
    assert points(solve("allreduce", ring, objective="latency"), ring) == [(5, 4, 4)]


LOPSIDED = build("line", {"ranks": "3"})
LOPSIDED = dataclasses.replace(
    LOPSIDED,
    name="lopsided",
    links=tuple(
        dataclasses.replace(x, bandwidth=x.bandwidth * (2 if x.source < x.destination else 1))
        for x in LOPSIDED.links
    ),
)


@pytest.mark.parametrize("kind", ["allreduce", "reduce-scatter", "reduce"])
def test_reductions_where_the_reversed_topology_is_another(kind):
    assert LOPSIDED.reversed().links != LOPSIDED.links
    assert points(solve(kind, LOPSIDED, Reach(chunks=3, steps=2)), LOPSIDED)


def test_a_bound_on_a_reduction_is_about_the_dual_on_the_reversed_topology():
    found = solve("reduce", LOPSIDED, Reach(chunks=2, steps=0))
    bound = next(x for x in found if isinstance(x, Bound))
    chunks, steps, rounds = (bound.evidence[x] for x in ("chunks", "steps", "rounds"))
    dual = Problem("broadcast", LOPSIDED.reversed())
    assert bound.evidence["query"] == encode(dual.instance(chunks, steps, rounds)).query.digest


@pytest.mark.parametrize("objective", ["latency", "bandwidth", "time", "frontier"])
def test_objectives(objective):
    sizes = {"time": (1024,), "frontier": (1024, 2**30)}.get(objective, ())
    reach = Reach(chunks=3, steps=1)
    found = points(solve("allgather", reach=reach, objective=objective, sizes=sizes))
    wanted = [(1, 2, 2), (2, 2, 3), (3, 3, 4)]
    assert found == wanted[: {"latency": 1, "time": 2}.get(objective, 3)]


def test_shared_resources_are_kept_to():
    topology = build("nvswitch-nodes", {"gpus": "4", "nics": "2"})
    result, schedule = decide("allgather", 1, 2, 3, topology)
    assert result == "sat"
    assert cost.rounds(schedule, topology) <= 3
    # 4 chunks must come into each node over 2 NICs.
    assert decide("allgather", 1, 3, 1, topology)[0] == "unsat"


class Scripted:
    """A prover that answers ``unknown`` to some of the queries, as told."""

    def __init__(self, unknown, resources):
        self.asked = 0
        self.unknown = unknown
        self.resources = resources

    def decide(self, query, *, seconds):
        self.asked += 1
        if self.asked in self.unknown:
            return Answer("unknown", "scripted", "0", self.resources, 0.0)
        return PROVER.decide(query, seconds=seconds)


def test_a_time_out_leaves_a_beginning_of_the_sequence():
    whole = solve("allgather", reach=Reach(chunks=4, steps=1))
    short = solve("allgather", reach=Reach(chunks=4, steps=1), prover=Scripted({4}, 0))
    digests = [x.digest if isinstance(x, Payload) else x.evidence["query"] for x in whole]
    assert [x.digest if isinstance(x, Payload) else x.evidence["query"] for x in short] == (
        digests[:3]
    )


def test_a_query_beyond_the_resources_is_passed_over():
    found = solve("allgather", reach=Reach(chunks=4, steps=1), prover=Scripted({3}, 1000))
    assert points(found)[-1] == (4, 3, 5)
    assert (3, 2, 4) not in {tuple(x.evidence[k] for k in ("chunks", "steps", "rounds"))
                             for x in found if isinstance(x, Bound)}  # fmt: skip


def test_too_many_failures_end_the_walk():
    prover = Scripted({3, 4}, 1000)
    found = solve("allgather", reach=Reach(chunks=4, steps=1, failures=2), prover=prover)
    assert points(found) == [(1, 2, 2), (2, 2, 3)]
    assert prover.asked == 4


def test_no_prover():
    with pytest.raises(Unavailable):
        list(ExactSynthesis(Problem("allgather", DGX1), Fraction(100)).solve(Context()))


def test_stopping():
    context = Context(prover=PROVER, stopped=lambda: True)
    assert list(ExactSynthesis(Problem("allgather", DGX1), Fraction(1200, 7)).solve(context)) == []


@pytest.fixture(scope="module")
def claimed():
    found = solve("allgather", reach=Reach(chunks=3, steps=0))
    return next(x for x in found if isinstance(x, Bound))


def test_the_evidence_repeats_with_either_solver(claimed):
    problem = Problem("allgather", DGX1)
    assert claimed.claim.startswith(
        "no allgather on dgx1 that cuts each rank's data into 3 chunks finishes in 2 steps and "
        "4 rounds or fewer"
    )
    assert infeasible.recheck_infeasible(problem, claimed, PROVER)
    second = dataclasses.replace(PROVER, solver=PROVER.second)
    assert infeasible.recheck_infeasible(problem, claimed, second)


def test_a_false_claim_is_refuted(claimed):
    problem = Problem("allgather", DGX1)
    query = infeasible.question(problem, 2, 2, 3)  # which has a model
    answer = Answer("unsat", "liar", "1", 7, 0.0)
    lie = infeasible.bound(problem, 2, 2, 3, query, answer)
    assert not infeasible.recheck_infeasible(problem, lie, PROVER)
    assert not infeasible.recheck_infeasible(Problem("gather", DGX1), claimed, PROVER)
    assert not infeasible.recheck_infeasible(Problem("allreduce", DGX1), claimed, PROVER)
    assert not infeasible.recheck_infeasible(
        Problem("allgather", build("ring", {"ranks": "8"})), claimed, PROVER
    )


@pytest.mark.parametrize(
    "change",
    [
        {"value": Fraction(100)},
        {"scope": {"chunks": Fraction(3)}},
        {"scope": {"chunks": Fraction(3), "steps": Fraction(3)}},
        {"metric": cost.BANDWIDTH},
        {"claim": "nothing can be better"},
        {"kind": "estimated"},
        {"name": "other"},
    ],
)
def test_a_claim_that_says_more_than_its_numbers_is_refuted(claimed, change):
    wrong = dataclasses.replace(claimed, **change)
    assert not infeasible.recheck_infeasible(Problem("allgather", DGX1), wrong, PROVER)


@pytest.mark.parametrize(
    "change",
    [
        {"rounds": 3},
        {"chunks": True},
        {"chunks": 0},
        {"steps": -1},
        {"steps": "2"},
        {"rounds": 10**9},
        {"query": "sha256:" + "0" * 64},
        {"extra": 1},
    ],
)
def test_evidence_that_does_not_fit_is_refuted(claimed, change):
    wrong = dataclasses.replace(claimed, evidence={**claimed.evidence, **change})
    assert not infeasible.recheck_infeasible(Problem("allgather", DGX1), wrong, PROVER)


def test_what_cannot_be_repeated(claimed):
    problem = Problem("allgather", DGX1)
    for change in ({"encoding": 99}, {"chunks": 4000, "steps": 4000}):
        other = dataclasses.replace(claimed, evidence={**claimed.evidence, **change})
        with pytest.raises(NotRepeatable):
            infeasible.recheck_infeasible(problem, other, PROVER)
    with pytest.raises(NotRepeatable):
        infeasible.recheck_infeasible(problem, claimed, Scripted({1}, 5))


def test_the_sequence_is_the_same_in_every_process():
    program = (
        "from fractions import Fraction\n"
        "from certune.core import Context, Payload\n"
        "from certune.tasks.collective.library import build\n"
        "from certune.tasks.collective.solvers.exact import ExactSynthesis, Reach\n"
        "from certune.tasks.collective.solvers.problem import Problem\n"
        "from certune.verifier.sat import SatProver\n"
        "problem = Problem('reduce', build('line', {'ranks': '4'}))\n"
        "solver = ExactSynthesis(problem, Fraction(25), Reach(chunks=3, steps=1))\n"
        "for x in solver.solve(Context(prover=SatProver())):\n"
        "    print(x.digest if isinstance(x, Payload) else (x.claim, x.evidence['query']))\n"
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
    assert len(outputs.pop().splitlines()) > 3


def test_which_solvers_run():
    def names(kind, name, **parameters):
        problem = Problem(kind, build(name, parameters))
        return [s.name for s in of(problem, Fraction(1))]

    assert names("allgather", "dgx1") == ["exact", "greedy"]
    assert names("alltoall", "dgx1") == ["exact", "greedy"]
    assert names("alltoall", "torus2d", rows="4", columns="4") == ["greedy", "exact"]
    assert names("allgather", "torus2d", rows="16", columns="16") == ["greedy"]
    assert names("alltoall", "torus2d", rows="64", columns="64") == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parameters"), [("hypercube", {"dimensions": "4"})])
def test_sixteen_ranks_meet_both_bounds_at_once(name, parameters):
    topology = build(name, parameters)
    result, schedule = decide("allgather", 4, 4, 15, topology)
    assert result == "sat"
    assert cost.bandwidth(schedule, topology) == bandwidth_bound("allgather", topology).value

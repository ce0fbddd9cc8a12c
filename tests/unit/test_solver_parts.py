"""The parts of synthesis: clauses, problems, trimming, composition, networks."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from pysat.solvers import Solver

from certune.core import InvalidInput
from certune.tasks.collective import baselines, cost
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.dataflow import links_exist, verify
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import from_sends
from certune.tasks.collective.solvers.cnf import FALSE, TRUE, Cnf
from certune.tasks.collective.solvers.compose import compose, refine, reverse
from certune.tasks.collective.solvers.network import network
from certune.tasks.collective.solvers.problem import Problem, chunks_of, chunks_per_rank
from certune.tasks.collective.solvers.sccl import UNREACHED, Chunk, distances, encode, trimmed
from certune.tasks.collective.topology import Link, Topology


def models(cnf, literals):
    """Which assignments of `literals` the clauses allow."""
    allowed = set()
    clauses = [list(c) for c in cnf.clauses]
    for values in product((False, True), repeat=len(literals)):
        fixed = [x if v else -x for x, v in zip(literals, values, strict=True)]
        with Solver("minisat22", bootstrap_with=clauses) as solver:
            if solver.solve(assumptions=fixed):
                allowed.add(values)
    return allowed


@pytest.mark.parametrize("count", [1, 2, 5, 7, 9])
def test_at_most_one(count):
    cnf = Cnf()
    literals = [cnf.new() for _ in range(count)]
    cnf.at_most_one(literals)
    every = product((False, True), repeat=count)
    assert models(cnf, literals) == {v for v in every if sum(v) <= 1}


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_counting(count, most):
    cnf = Cnf()
    literals = [cnf.new() for _ in range(count)]
    for literal in cnf.at_least(literals, [most + 1]).values():
        cnf.add(-literal)
    every = product((False, True), repeat=count)
    assert models(cnf, literals) == {v for v in every if sum(v) <= most}


def test_counting_several_at_once():
    cnf = Cnf()
    literals = [cnf.new() for _ in range(5)]
    counted = cnf.at_least(literals, [2, 4, 9])
    assert set(counted) == {2, 4}
    allowed = models(cnf, [*literals, counted[2], counted[4]])
    assert allowed == {
        (*v, two, four)
        for v in product((False, True), repeat=5)
        for two in (False, True)
        for four in (False, True)
        if two >= (sum(v) >= 2) and four >= (sum(v) >= 4)
    }


@pytest.mark.parametrize("length", [1, 2, 3])
def test_lexicographic_order(length):
    cnf = Cnf()
    literals = [cnf.new() for _ in range(2 * length)]
    cnf.ordered(literals[:length], literals[length:])
    every = product((False, True), repeat=2 * length)
    assert models(cnf, literals) == {v for v in every if v[:length] >= v[length:]}


def test_constants_do_not_reach_the_text():
    cnf = Cnf()
    x = cnf.new()
    cnf.add(TRUE, x)
    cnf.add(FALSE, x)
    cnf.add(-TRUE, -FALSE)
    assert cnf.query().text == b"p cnf 1 1\n1 0\n"
    cnf.add(FALSE)
    assert cnf.query().text == b"p cnf 1 2\n1 0\n0\n"


def test_the_same_instance_has_the_same_text():
    problem = Problem("allgather", build("dgx1"))
    texts = {encode(problem.instance(2, 2, 3)).query.text for _ in range(2)}
    assert len(texts) == 1


def test_distances():
    assert distances(4, [(0, 1), (1, 2)], [0]) == [0, 1, 2, UNREACHED]
    assert distances(3, [(0, 1), (1, 2), (2, 0)], [1, 2]) == [1, 0, 0]


def test_trimming_drops_second_receipts_and_what_nothing_needs():
    chunks = [Chunk(0, (2,))]
    sends = [
        (0, 0, 1, 0),
        (0, 0, 3, 0),  # leads nowhere
        (1, 1, 2, 0),
        (1, 1, 0, 0),  # the source has it
        (2, 3, 2, 0),  # second receipt
    ]
    assert trimmed(chunks, sends) == [(0, 0, 1, 0), (1, 1, 2, 0)]


@pytest.mark.parametrize(
    ("kind", "pieces", "chunks"),
    [("allgather", 12, 3), ("alltoall", 8, 2), ("broadcast", 5, 5), ("allreduce", 8, 8)],
)
def test_chunks_per_rank(kind, pieces, chunks):
    assert chunks_per_rank(Collective(kind, 4, pieces)) == chunks
    assert Problem(kind, build("ring", {"ranks": "4"})).collective(chunks).pieces == pieces


def test_capacities_keep_what_binds():
    links = (
        Link(0, 1, Fraction(1), Fraction(50), ("a", "b")),
        Link(1, 0, Fraction(1), Fraction(25)),
        Link(0, 2, Fraction(1), Fraction(25), ("a",)),
        Link(2, 0, Fraction(1), Fraction(25), ("c",)),
        Link(1, 2, Fraction(1), Fraction(25), ("wide",)),
        Link(2, 1, Fraction(1), Fraction(25), ("wide",)),
    )
    resources = {"a": Fraction(50), "b": Fraction(40), "c": Fraction(20), "wide": Fraction(50)}
    problem = Problem("allgather", Topology("t", 3, links, resources))
    assert problem.unit == 25
    named = {tuple(problem.links[i] for i in group): width for group, width in problem.capacities}
    assert named == {
        ((0, 1),): Fraction(8, 5),  # b is narrower than the link and taken by it alone
        ((1, 0),): 1,
        ((0, 2),): 1,
        ((2, 0),): Fraction(4, 5),
        ((1, 2),): 1,
        ((2, 1),): 1,
        ((0, 1), (0, 2)): 2,  # a; "wide" is as wide as its links together and left out
    }


def test_problems_that_cannot_be():
    ring = build("ring", {"ranks": "4"})
    with pytest.raises(InvalidInput):
        Problem("allgather", ring, objective="time")
    with pytest.raises(InvalidInput):
        Problem("allgather", ring).dual  # noqa: B018
    with pytest.raises(InvalidInput):
        chunks_of(Collective("allreduce", 4, 4))
    with pytest.raises(InvalidInput):
        Problem("reduce", ring).instance(1, 1, 1)


RING = build("ring", {"ranks": "4"})
DGX1 = build("dgx1")


@pytest.mark.parametrize(
    "kind", ["allgather", "reduce-scatter", "allreduce", "broadcast", "reduce", "gather",
             "scatter", "alltoall"]
)  # fmt: skip
def test_reversal_of_a_baseline_is_right_and_its_own_inverse(kind):
    root = 2 if kind in ("broadcast", "reduce", "gather", "scatter") else 0
    _, schedule = baselines.default_baseline(kind, DGX1, root)
    schedule = schedule.normalised()
    back = reverse(schedule)
    assert verify(schedule) is None
    assert verify(back) is None
    assert links_exist(back, DGX1.reversed()) is None
    assert cost.bandwidth(back, DGX1.reversed()) == cost.bandwidth(schedule, DGX1)
    again = reverse(back)
    assert again.collective == schedule.collective
    for column in ("step", "source", "destination", "chunk", "reduce"):
        assert np.array_equal(getattr(again, column), getattr(schedule, column))


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("reduce-scatter", "allgather", "allreduce"),
        ("reduce", "broadcast", "allreduce"),
        ("reduce-scatter", "gather", "reduce"),
        ("scatter", "allgather", "broadcast"),
        ("gather", "broadcast", "allgather"),
        ("reduce", "scatter", "reduce-scatter"),
    ],
)
def test_composition(first, second, whole):
    rooted = ("broadcast", "reduce", "gather", "scatter")
    parts = []
    for kind in (first, second):
        _, part = baselines.default_baseline(kind, RING, 3 if kind in rooted else 0)
        parts.append(part)
    pieces = np.lcm(parts[0].collective.pieces, parts[1].collective.pieces) * 2
    one, two = (refine(part, int(pieces) // part.collective.pieces) for part in parts)
    both = compose(one, two)
    assert both.collective.kind == whole
    assert both.steps == one.steps + two.steps
    assert verify(one) is None
    assert verify(both) is None
    assert links_exist(both, RING) is None


def test_what_does_not_compose():
    _, gather = baselines.default_baseline("allgather", RING, 0)
    _, scatter = baselines.default_baseline("reduce-scatter", RING, 0)
    with pytest.raises(InvalidInput, match="make no collective"):
        compose(gather, scatter)
    with pytest.raises(InvalidInput, match="pieces"):
        compose(scatter, refine(gather, 2))
    _, reduce = baselines.default_baseline("reduce", RING, 1)
    _, broadcast = baselines.default_baseline("broadcast", RING, 0)
    pieces = int(np.lcm(reduce.collective.pieces, broadcast.collective.pieces))
    with pytest.raises(InvalidInput, match="root"):
        compose(
            refine(reduce, pieces // reduce.collective.pieces),
            refine(broadcast, pieces // broadcast.collective.pieces),
        )
    with pytest.raises(InvalidInput):
        refine(gather, 0)


def test_refining_keeps_owners_and_cost():
    for kind in ("allgather", "alltoall", "broadcast"):
        _, schedule = baselines.default_baseline(kind, RING, 0)
        fine = refine(schedule, 3)
        assert verify(fine) is None
        assert fine.sends == 3 * schedule.sends
        assert cost.bandwidth(fine, RING) == cost.bandwidth(schedule, RING)


def test_a_reversal_with_a_useless_send_is_no_reduction():
    collective = Collective("allgather", 3, 3)
    sends = [(0, a, b, a, False) for a in range(3) for b in range(3) if a != b]
    twice = from_sends(collective, [*sends, (1, 0, 1, 0, False)])
    assert verify(twice) is None
    assert verify(reverse(from_sends(collective, sends))) is None
    assert verify(reverse(twice)) is not None


def test_network_arrays():
    net = network(build("nvswitch-nodes", {"nodes": "2", "gpus": "2", "nics": "1"}))
    assert net.distance.tolist() == [[int(a != b) for b in range(4)] for a in range(4)]
    assert net.island.tolist() == [0, 0, 1, 1]
    joins = set(zip(net.source[net.slow].tolist(), net.destination[net.slow].tolist(), strict=True))
    assert joins == {(a, b) for a in range(4) for b in range(4) if a // 2 != b // 2}
    assert net.slowest == 25
    room = net.room(Fraction(2, 25))
    assert sorted(set(room.tolist())) == [2, 24]
    ring = network(build("ring", {"ranks": "6"}))
    assert ring.distance[0].tolist() == [0, 1, 2, 3, 2, 1]
    assert len(set(ring.island.tolist())) == 6


def test_one_fast_link_back_makes_no_island():
    links = [Link(0, 1, Fraction(1), Fraction(25)), Link(1, 2, Fraction(1), Fraction(25))]
    net = network(Topology("t", 3, (*links, Link(2, 0, Fraction(1), Fraction(50)))))
    assert len(set(net.island.tolist())) == 3

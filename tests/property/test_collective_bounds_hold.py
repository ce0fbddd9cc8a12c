"""No right schedule beats a bound, and the bounds are those of the narrowest cut."""

from fractions import Fraction
from itertools import combinations

from bruteforce import judge
from collective_strategies import collectives, right_schedules, topologies
from hypothesis import given, settings
from hypothesis import strategies as st

from certune.tasks.collective import cost
from certune.tasks.collective.baselines import default_baseline
from certune.tasks.collective.bounds import check, known
from certune.tasks.collective.collective import KINDS, ROOTED
from certune.tasks.collective.dataflow import links_exist, verify
from certune.tasks.collective.schedule import dump_schedule

SIZES = (1, 4096, 2**24)


def values(schedule, topology):
    profile = cost.profile(schedule, topology)
    return {"latency": profile.latency, "bandwidth": profile.bandwidth} | {
        f"time@{size}": profile.time(size) for size in SIZES
    }


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_no_right_schedule_beats_a_bound(data):
    topology = data.draw(topologies())
    collective = data.draw(collectives(topology.ranks))
    schedule = data.draw(right_schedules(topology, collective))
    assert verify(schedule) is None
    assert judge(dump_schedule(schedule)) is None
    assert links_exist(schedule, topology) is None
    found = values(schedule, topology)
    for bound in known(collective.kind, topology, collective.root, SIZES):
        assert not bound.beaten_by(found)
        assert check(bound, collective.kind, topology, collective.root)


@given(topologies(), st.sampled_from(KINDS), st.data())
@settings(max_examples=80, deadline=None)
def test_default_baselines_are_right_and_within_the_bounds(topology, kind, data):
    root = data.draw(st.integers(0, topology.ranks - 1)) if kind in ROOTED else 0
    _, schedule = default_baseline(kind, topology, root)
    assert verify(schedule) is None
    assert links_exist(schedule, topology) is None
    found = values(schedule, topology)
    assert not any(bound.beaten_by(found) for bound in known(kind, topology, root, SIZES))


def crossing(kind, ranks, root, side):
    """What must cross, counted pair by pair or chunk by chunk in the simplest way."""
    rest = [rank for rank in range(ranks) if rank not in side]
    if kind == "alltoall":
        return Fraction(len(side) * len(rest), ranks)
    if kind == "allgather" or (kind == "gather" and root in rest):
        return Fraction(len(side), ranks)
    if kind == "reduce-scatter" or (kind == "scatter" and root in side):
        return Fraction(len(rest), ranks)
    whole = kind == "allreduce" or root in (side if kind == "broadcast" else rest)
    return Fraction(int(whole and kind in ("allreduce", "broadcast", "reduce")))


@given(topologies(shared=False), st.sampled_from(KINDS), st.data())
@settings(max_examples=150, deadline=None)
def test_the_cut_bound_is_the_best_of_all_cuts(topology, kind, data):
    """Without shared resources the search finds an optimal cut, whatever the collective."""
    root = data.draw(st.integers(0, topology.ranks - 1)) if kind in ROOTED else 0
    best = None
    for size in range(1, topology.ranks):
        for side in combinations(range(topology.ranks), size):
            amount = crossing(kind, topology.ranks, root, side)
            width = sum(
                x.bandwidth
                for x in topology.links
                if x.source in side and x.destination not in side
            )
            if amount and (best is None or width / amount < best):
                best = width / amount
    bound = known(kind, topology, root)[1]
    if bound.name == "cut":
        assert bound.value == best
    else:
        assert kind in ("allreduce", "alltoall")
        assert bound.value < best

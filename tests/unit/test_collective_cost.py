from fractions import Fraction

import pytest

from certune.core import InvalidInput
from certune.tasks.collective import cost
from certune.tasks.collective.baselines import baseline
from certune.tasks.collective.collective import Collective
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import from_sends
from certune.tasks.collective.topology import Link, Topology

F = Fraction


def test_six_rings_reach_the_known_optimum_of_the_dgx1():
    topology = build("dgx1")
    profile = cost.profile(baseline("rings", "allgather", topology), topology)
    assert profile.bandwidth == F(1200, 7)
    assert profile.rounds == 7
    assert profile.latency == 7 * F(7, 10)
    # 48 pieces, 7 steps of one piece over 25 GB/s.
    assert profile.time(48_000_000) == 7 * (F(7, 10) + F(1_000_000, 25_000))


def test_the_single_ring_is_six_times_over_two_slower():
    topology = build("dgx1")
    schedule = baseline("ring", "allgather", topology)
    assert cost.bandwidth(schedule, topology) == F(8 * 50, 7)
    assert cost.rounds(schedule, topology) == 7
    assert cost.latency(schedule, topology) == F(49, 10)
    assert cost.time(schedule, topology, 0) == F(49, 10)


def test_a_step_waits_for_its_slowest_link():
    links = (Link(0, 1, F(1), F(10)), Link(1, 0, F(5), F(100)))
    topology = Topology("two", 2, links)
    schedule = from_sends(
        Collective("allgather", 2, 4),
        [(0, 0, 1, 0, False), (0, 0, 1, 1, False), (0, 1, 0, 2, False), (1, 1, 0, 3, False)],
    )
    # Step 0: 2 chunks over 10 GB/s after 1 µs, 1 over 100 GB/s after 5 µs; step 1: 1 over 100.
    assert cost.latency(schedule, topology) == 10
    assert cost.bandwidth(schedule, topology) == 4 / (F(2, 10) + F(1, 100))
    small, large = 4 * 1000, 4 * 1_000_000
    assert cost.time(schedule, topology, small) == (5 + F(1, 100)) + (5 + F(1, 100))
    assert cost.time(schedule, topology, large) == (1 + 200) + (5 + 10)
    assert cost.unit_bandwidth(topology) == 10
    assert cost.rounds(schedule, topology) == 2 + 1


def test_a_shared_port_carries_the_sum_and_waits_for_the_slowest_alpha():
    links = (
        Link(0, 1, F(1), F(10), ("port",)),
        Link(0, 2, F(3), F(10), ("port",)),
        Link(1, 0, F(1), F(10)),
        Link(2, 0, F(1), F(10)),
    )
    topology = Topology("star", 3, links, {"port": F(5)})
    schedule = from_sends(Collective("broadcast", 3, 1), [(0, 0, 1, 0, False), (0, 0, 2, 0, False)])
    assert cost.bandwidth(schedule, topology) == F(5, 2)
    assert cost.latency(schedule, topology) == 3
    assert cost.time(schedule, topology, 10_000) == 3 + F(2 * 10, 5)
    assert cost.rounds(schedule, topology) == 4


def test_units_of_uneven_bandwidths():
    links = [Link(0, 1, F(0), F(3, 2)), Link(1, 0, F(0), F(5, 4))]
    assert cost.unit_bandwidth(Topology("x", 2, tuple(links))) == F(1, 4)


def test_what_has_no_cost():
    schedule = from_sends(Collective("broadcast", 4, 1), [(0, 0, 2, 0, False)])
    with pytest.raises(InvalidInput, match="does not have"):
        cost.profile(schedule, build("ring", {"ranks": "4"}))
    with pytest.raises(InvalidInput, match="4 ranks, not 5"):
        cost.profile(schedule, build("ring", {"ranks": "5"}))


def test_metrics_are_named_with_their_size():
    assert cost.time_metric(64).name == "time@64"
    assert (cost.BANDWIDTH.better, cost.LATENCY.better) == ("higher", "lower")

"""The vectorised cost against the definition, written out in fractions."""

from fractions import Fraction
from math import ceil

from collective_strategies import collectives, right_schedules, topologies
from hypothesis import given, settings
from hypothesis import strategies as st

from certune.tasks.collective import cost


def step_times(schedule, topology, size):
    chunk = Fraction(size) / schedule.collective.pieces
    for number in range(schedule.steps):
        load, slowest = {}, {}
        for step, source, destination in zip(
            schedule.step, schedule.source, schedule.destination, strict=True
        ):
            if step != number:
                continue
            link = topology.find(int(source), int(destination))
            for element in (link, *link.via):
                load[element] = load.get(element, 0) + 1
                slowest[element] = max(slowest.get(element, 0), link.alpha)
        times = []
        rounds = []
        for element, count in load.items():
            width = topology.resources[element] if isinstance(element, str) else element.bandwidth
            times.append(slowest[element] + count * chunk / (width * 1000))
            rounds.append(ceil(count * cost.unit_bandwidth(topology) / width))
        yield max(times), max(rounds)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_the_cost_is_that_of_the_definition(data):
    topology = data.draw(topologies())
    schedule = data.draw(right_schedules(topology, data.draw(collectives(topology.ranks))))
    for size in (0, 1000, 10**7):
        found = list(step_times(schedule, topology, size))
        assert cost.time(schedule, topology, size) == sum(time for time, _ in found)
        assert cost.rounds(schedule, topology) == sum(count for _, count in found)
    profile = cost.profile(schedule, topology)
    assert profile.latency == profile.time(0)
    # For an endless size the alphas vanish: what is left grows in proportion to the size.
    huge = 10**40
    assert abs(huge / (profile.time(huge) * 1000) - profile.bandwidth) < Fraction(1, 10**30)


def test_a_unit_divides_every_bandwidth():
    @given(topologies())
    @settings(max_examples=50, deadline=None)
    def check(topology):
        unit = cost.unit_bandwidth(topology)
        multiples = [x.bandwidth / unit for x in topology.links]
        assert all(x.denominator == 1 for x in multiples)

    check()

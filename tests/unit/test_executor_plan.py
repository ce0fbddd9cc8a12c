"""Which cores measure, which check, and what the pool does with nodes that fail."""

from dataclasses import replace

import pytest
from machine_samples import FACTS

from certune.sandbox.executors import Seat, plan
from certune.sandbox.machine import Core


def machine(*cores: Core):
    return replace(FACTS, cores=cores)


def test_two_cores_measure_on_one_and_check_on_the_other():
    assert plan(FACTS) == (
        Seat((1,), True, False, 0),
        Seat((0,), False, False, 0),
        Seat((1,), False, True, 0),
    )


def test_one_core_checks_only_while_nothing_is_measured():
    assert plan(machine(Core((0,), (), 0))) == (
        Seat((0,), True, False, 0),
        Seat((0,), False, True, 0),
    )


def test_siblings_of_a_measuring_core_stay_idle():
    seats = plan(machine(Core((0, 2), (), 0), Core((1, 3), (), 0)))
    assert seats[0] == Seat((1,), True, False, 0)
    assert [seat.cpus for seat in seats if not seat.measures and not seat.spare] == [(0, 2)]
    assert [seat.cpus for seat in seats if seat.spare] == [(1, 3)]


def test_one_measurement_in_each_package():
    cores = [Core((i,), (), 0 if i < 4 else 4) for i in range(8)]
    seats = plan(machine(*cores))
    assert [seat.cpus for seat in seats if seat.measures] == [(3,), (7,)]
    assert len([seat for seat in seats if not seat.measures]) == 8


def test_a_measurement_of_several_cores_leaves_one_to_check():
    cores = [Core((i,), (), 0) for i in range(4)]
    assert plan(machine(*cores), cores=2)[0].cpus == (2, 3)
    assert plan(machine(*cores), cores=9)[0].cpus == (1, 2, 3)
    assert plan(machine(cores[0]), cores=9)[0].cpus == (0,)


@pytest.mark.parametrize("most", [0, 1])
def test_checks_can_be_bounded_but_not_away(most):
    cores = [Core((i,), (), 0) for i in range(4)]
    checks = [seat for seat in plan(machine(*cores), most=most) if not seat.measures]
    assert checks == [Seat((0,), False, False, 0)]

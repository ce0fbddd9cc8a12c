"""Which machines are measured on, and which are not, with the evidence."""

from dataclasses import replace

import pytest
from machine_samples import CALM, FACTS, probed

from certune.core.errors import Unavailable
from certune.sandbox.machine import Finding, MachineReport, Series, Tolerance, findings
from certune.sandbox.machine.description import Core
from certune.sandbox.machine.shapes import shape, shapes_of


def states(found: tuple[Finding, ...]) -> set[str]:
    return {finding.state for finding in found}


def test_a_calm_machine_is_fit_and_nothing_is_advised():
    assert findings(FACTS, CALM, probed()) == ()
    report = MachineReport(FACTS, CALM, probed(), ())
    assert report.fit
    assert report.timer_floor == 5e-8
    report.require()


@pytest.mark.parametrize(
    ("pressure", "seen", "state", "word"),
    [
        (CALM, probed(correct=False), "broken", "known result"),
        (replace(CALM, thermal=2), probed(), "throttled", "2 times"),
        (replace(CALM, throttled=0.12), probed(), "throttled", "120 ms"),
        (replace(CALM, steal=0.2), probed(), "overcommitted", "steal"),
        (replace(CALM, others=0.9), probed(scheduled=0.5), "overcommitted", "50 % of the time"),
        (CALM, probed(detoured=0.3, longest_detour=4e-3), "overcommitted", "4.0 ms at once"),
        (CALM, probed(tail=1.5), "noisy", "one in twenty"),
    ],
)
def test_what_disturbs_is_named_with_its_evidence(pressure, seen, state, word):
    found = findings(FACTS, pressure, seen)
    assert state in states(found)
    report = MachineReport(FACTS, pressure, seen, found)
    assert report.state == state
    assert word in report.sentence()
    with pytest.raises(Unavailable, match="not measured here"):
        report.require()


def test_limits_are_limits():
    at = Tolerance(steal=0.05)
    assert findings(FACTS, replace(CALM, steal=0.05), probed(), tolerance=at) == ()
    assert findings(FACTS, replace(CALM, steal=0.051), probed(), tolerance=at)


def test_a_core_that_slows_down_while_probed_is_throttled():
    cpu = Series("compute-cpu", "s", "lower", tuple([1e-4] * 50 + [1.3e-4] * 50))
    seen = replace(probed(), series=(cpu,))
    assert "second half" in findings(FACTS, CALM, seen)[0].evidence


def test_a_machine_is_held_against_its_own_record():
    record = [shapes_of(probed(1 + 0.01 * i).series) for i in range(4)]
    assert findings(FACTS, CALM, probed(1.05), record) == ()
    slower = findings(FACTS, CALM, probed(1.3), record)
    assert states(slower) == {"throttled", "noisy"}
    assert any("compute-cpu is 2" in f.evidence for f in slower)
    assert findings(FACTS, CALM, probed(0.5), record) == ()  # faster is no failure
    assert findings(FACTS, CALM, probed(1.3), record[:2]) == ()  # too little is known


def test_a_record_of_other_shapes_is_passed_over():
    record = [{"compute-cpu": (1e-9,)}, {"compute-cpu": ()}, {}, {"other": (1.0,)}]
    assert findings(FACTS, CALM, probed(), record) == ()


def test_advice_stops_nothing():
    facts = replace(
        FACTS,
        governor="powersave",
        turbo=True,
        quota=1.0,
        clock="hpet",
        cores=(Core((0, 1), (), 0),),
    )
    found = findings(facts, CALM, probed())
    assert states(found) == {"fit"}
    text = " ".join(f.evidence for f in found)
    for word in ("powersave", "turbo", "hardware threads", "1 of 2 CPUs", "hpet", "one core"):
        assert word in text
    assert MachineReport(facts, CALM, probed(), found).fit


def test_the_worst_state_counts():
    found = findings(FACTS, replace(CALM, steal=0.5, thermal=1), probed(correct=False))
    assert MachineReport(FACTS, CALM, probed(), found).state == "broken"


def test_values_that_are_no_numbers_make_no_shape():
    with pytest.raises(ValueError, match="finite"):
        shape([1.0, float("nan")])
    with pytest.raises(ValueError, match="finite"):
        shape([])

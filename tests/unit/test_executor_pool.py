"""The pool's decisions, on nodes that exist in this process alone."""

import threading
from dataclasses import replace

import pytest
from machine_samples import CALM, FACTS, probed

from certune.core.errors import Crashed, Unavailable
from certune.sandbox.executors import Seat, Work
from certune.sandbox.executors.pool import Lost, Pool
from certune.sandbox.machine import Finding, MachineReport
from certune.sandbox.machine.gray import series_of

MEASURE, CHECK = Seat((1,), True, False, 0), Seat((0,), False, False, 0)
SPARE = Seat((1,), False, True, 0)


def double(number: int) -> int:
    return 2 * number


class Place:
    """A seat that calls in its own thread, or is lost as often as it is told."""

    def __init__(self, node: str, seat: Seat, losses: int = 0, gone: bool = False) -> None:
        self.node, self.seat = node, seat
        self.losses, self.gone = losses, gone
        self.calls: list[str] = []

    def call(self, work):
        self.calls.append(work.name)
        if self.losses and work.call is double:
            self.losses -= 1
            raise Lost("it died", node_gone=self.gone)
        return work.call(*work.arguments)

    def close(self) -> None:
        pass


def pool(*places: Place, validator=None, labels=None, **options) -> Pool:
    offered = {place.node: {"CPU": 1.0} | (labels or {}).get(place.node, {}) for place in places}
    return Pool(places, offered, validator=validator, **options)


def ask(made: Pool, kind="measure", **options):
    return made.submit(Work(double, (21,), kind, **options)).result(10)


def nodes(count: int, **options) -> list[Place]:
    return [Place(f"n{i}", MEASURE, **options) for i in range(count)]


def test_what_was_lost_on_a_node_is_tried_on_another():
    places = [Place("a", MEASURE, losses=9), Place("b", MEASURE)]
    made = pool(*places)
    while not made.losses():
        placed = ask(made)
        assert (placed.value, placed.node) == (42, "b") or not placed.lost
    assert len(made.losses()) == 1
    assert made.losses()[0].reason == "it died"
    made.close()


def test_retries_are_bounded_on_the_only_node():
    (place,) = nodes(1, losses=9)
    made = pool(place)
    with pytest.raises(Crashed, match="lost 3 times: on n0: it died"):
        ask(made)
    assert place.losses == 6
    made.close()


def test_a_node_that_is_gone_gets_nothing_more():
    places = [Place("a", MEASURE, losses=1, gone=True), Place("a", CHECK)]
    made = pool(*places)
    with pytest.raises(Unavailable, match=r"no node is left .a: it died"):
        ask(made)
    with pytest.raises(Unavailable, match="no node is left"):
        ask(made, "check")
    assert made.nodes()[0].gone == "it died"
    made.close()


def report(slower: float = 1.0, *found: Finding) -> MachineReport:
    return MachineReport(FACTS, CALM, probed(slower), found)


class Validator:
    """Reports by the name of the node that the calling place belongs to."""

    def __init__(self, reports: dict[str, MachineReport]) -> None:
        self.reports, self.here = reports, threading.local()

    def __call__(self, cpu: int) -> MachineReport:
        return self.reports[self.here.node]


class Told(Place):
    """A place that tells the validator where it is."""

    validator: Validator

    def call(self, work):
        self.validator.here.node = self.node
        return super().call(work)


def judged(**reports: MachineReport) -> tuple[Pool, dict[str, Told]]:
    validator = Validator(reports)
    places = {name: Told(name, MEASURE) for name in reports}
    for place in places.values():
        place.validator = validator
    return pool(*places.values(), validator=validator, valid_for=1e6), places


def test_a_gray_node_is_quarantined_before_anything_is_measured():
    made, places = judged(a=report(), b=report(), c=report(1.4), d=report())
    made.validate()
    quarantined = {node.name: node.quarantined for node in made.nodes() if node.quarantined}
    assert set(quarantined) == {"c"}
    assert any("compute-cpu is 40 % worse than the norm of" in told for told in quarantined["c"])
    before = len(places["c"].calls)
    assert {ask(made).node for _ in range(10)} <= {"a", "b", "d"}
    assert len(places["c"].calls) == before
    made.close()


def test_a_node_that_is_not_fit_leaves_the_work_to_others():
    made, _ = judged(a=report(1.0, Finding("noisy", "loud")), b=report())
    assert {ask(made).node for _ in range(6)} == {"b"}
    assert made.nodes()[0].quarantined == ()
    made.close()


def test_without_a_fit_node_the_evidence_of_all_is_told():
    made, _ = judged(
        a=report(1.0, Finding("noisy", "loud")), b=report(1.0, Finding("throttled", "hot"))
    )
    with pytest.raises(Unavailable, match=r"a: not measured here: noisy: loud; b: .*hot"):
        ask(made)
    made.close()


def test_a_node_that_computes_wrongly_is_out_even_alone():
    made, _ = judged(a=report(1.0, Finding("broken", "one and one made three")))
    made.validate()
    assert made.nodes()[0].quarantined == ("broken: one and one made three",)
    with pytest.raises(Unavailable, match="three"):
        ask(made)
    made.close()


def test_a_validation_that_is_old_is_made_again():
    made, places = judged(a=report())
    made._valid_for = 0.0
    ask(made)
    ask(made)
    assert len(places["a"].calls) == 4
    made.close()


def test_nodes_that_drift_on_equal_work_are_quarantined():
    made = pool(*nodes(4))
    for index in range(3):
        told = made.observe(f"n{index}", series_of("incumbent", "s", [1.0, 1.01, 1.02]), 0.1)
        assert told == ()
    told = made.observe("n3", series_of("incumbent", "s", [1.5, 1.51, 1.52]), 0.1)
    assert "incumbent is 49 % worse" in told[0] or "incumbent is 50 % worse" in told[0]
    assert {ask(made).node for _ in range(8)} <= {"n0", "n1", "n2"}
    made.close()


def test_labels_are_taken_and_given_back():
    made = pool(*nodes(2), labels={"n1": {"GPU": 1.0}})
    for _ in range(3):
        assert ask(made, labels={"GPU": 1}).node == "n1"
    with pytest.raises(Unavailable, match="did you mean 'GPU'"):
        ask(made, labels={"GPUS": 1})
    with pytest.raises(Unavailable, match="no node offers all"):
        ask(made, labels={"GPU": 2})
    made.close()


class Held(Place):
    """A seat whose calls wait until they are let go."""

    def __init__(self, node: str, seat: Seat) -> None:
        super().__init__(node, seat)
        self.began, self.go = threading.Event(), threading.Event()

    def call(self, work):
        self.began.set()
        assert self.go.wait(10)
        return super().call(work)

    def close(self) -> None:
        self.go.set()


def test_a_spare_seat_gives_way_to_a_measurement_and_comes_back_on_one_core():
    spare, measure = Held("a", SPARE), Held("a", MEASURE)
    made = pool(measure, spare)
    first = made.submit(Work(double, (1,)))
    assert spare.began.wait(10)
    measured = made.submit(Work(double, (2,), "measure"))
    second = made.submit(Work(double, (3,)))
    assert not measure.began.wait(0.1)  # the check on its core ends first
    spare.began.clear()
    spare.go.set()
    assert first.result(10).value == 2
    assert measure.began.wait(10)
    assert not spare.began.wait(0.2)  # and no other begins before it has measured
    measure.go.set()
    assert measured.result(10).value == 4
    assert second.result(10).value == 6
    made.close()


def test_where_other_cores_check_the_measuring_one_stays_free():
    places = [Place("a", MEASURE), Place("a", CHECK), Place("a", SPARE)]
    made = pool(*places)
    ask(made)
    for _ in range(5):
        assert ask(made, "check").cpus == (0,)
    assert places[2].calls == []
    made.close()


def test_a_pool_without_nodes_says_so():
    made = Pool([], {}, validator=None)
    with pytest.raises(Unavailable, match="there is no node"):
        ask(made)
    made.close()


def test_other_kinds_of_machines_are_not_compared():
    other = replace(report(1.4), facts=replace(FACTS, cpu="Another CPU"))
    made, _ = judged(a=report(), b=report(), c=other, d=report())
    made.validate()
    assert not any(node.quarantined for node in made.nodes())
    made.close()

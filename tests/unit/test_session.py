"""Sessions: the one door, budgets, known answers, trouble, resuming."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
import toy

from certune.agents.search import Search
from certune.certificate import match_files, open_certificate
from certune.core import (
    Budget,
    BudgetSpent,
    Comparison,
    Crashed,
    InvalidInput,
    Limits,
    Proposal,
    Satisfy,
    Unavailable,
    Usage,
)
from certune.ledger import Ledger
from certune.project import publish
from certune.session import Rival, Session


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path) as opened:
        yield opened


def start(ledger: Ledger, task: toy.ToyTask | None = None, **options: object) -> Session:
    return Session.start(ledger, task or toy.ToyTask(toy.spec()), agent="search", **options)


def submit(session: Session, number: object):
    return session.submit(Proposal(toy.payload(number)))


def test_the_ways_a_proposal_can_end(ledger: Ledger) -> None:
    session = start(ledger)
    assert submit(session, "4x").decision.reason == "invalid"
    assert submit(session, 7).decision.reason == "refuted"
    assert submit(session, 100).decision.reason == "not-better"
    assert submit(session, 80).decision.reason == "accepted"
    assert submit(session, 90).decision.reason == "not-better"
    recorded = ledger.trials(session.identity)
    assert [trial.number for trial in recorded] == [1, 2, 3, 4, 5]
    assert list(session.trials) == recorded


def test_a_payload_beyond_the_limit_is_invalid_before_it_is_read(ledger: Ledger) -> None:
    task = toy.ToyTask(toy.spec(limits=Limits(payload_bytes=8)))
    trial = submit(start(ledger, task), "0" * 9)
    assert trial.decision.reason == "invalid"
    assert "limit is 8" in trial.decision.why


def test_a_duplicate_gets_the_known_answer_without_being_judged_again(ledger: Ledger) -> None:
    task = toy.ToyTask(toy.spec())
    session = start(ledger, task)
    first = submit(session, 7)
    judged = list(task.judged)
    second = submit(session, " 7 ")
    assert second.known
    assert second.verdict == first.verdict
    assert second.decision == first.decision
    assert task.judged == judged
    assert len(ledger.trials(session.identity)) == 2


def test_a_known_answer_is_never_ground_for_an_acceptance(ledger: Ledger) -> None:
    """A record that says `proved` is not believed: what would be accepted is judged again."""
    first = start(ledger)
    submit(first, 44)
    task = toy.ToyTask(toy.spec())
    again = start(ledger, task, rivals=[])
    before = len(task.judged)
    trial = submit(again, 44)
    assert trial.accepted
    assert task.judged[before:] == [44]


def test_the_incumbent_is_the_best_of_the_project_judged_again(ledger: Ledger) -> None:
    submit(start(ledger), 60)
    task = toy.ToyTask(toy.spec())
    session = start(ledger, task)
    assert session.incumbent.values == {"cost": 18}
    assert task.judged == [100, 60]
    assert submit(session, 70).decision.reason == "not-better"
    assert submit(session, 50).accepted


def test_accepted_under_another_spec_is_no_incumbent(ledger: Ledger) -> None:
    submit(start(ledger), 60)
    session = start(ledger, toy.ToyTask(toy.spec(target=43)))
    assert session.incumbent.names == {"cost": "the baseline hundred"}


def test_a_named_incumbent_that_is_wrong_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="7 is odd"):
        start(ledger, rivals=[Rival("mine", toy.payload(7))])


def test_what_was_accepted_and_does_not_hold_any_more_is_passed_over(ledger: Ledger) -> None:
    """As when a defect of the family was mended: the project is not stuck with its old mistake."""
    submit(start(ledger), 60)

    def mended(task: toy.ToyTask) -> toy.ToyTask:
        found = task.elaborate

        def elaborate(payload, context):
            candidate = found(payload, context)
            if candidate.value == 60:
                raise InvalidInput("60 is no number any more")
            return candidate

        task.elaborate = elaborate
        return task

    session = start(ledger, mended(toy.ToyTask(toy.spec())))
    assert session.incumbent.names == {"cost": "the baseline hundred"}


def test_nothing_is_recorded_of_a_session_that_cannot_begin(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput):
        start(ledger, rivals=[Rival("mine", toy.payload(7))])
    assert ledger.sessions() == []


def test_beyond_a_proven_bound_is_refused(ledger: Ledger) -> None:
    task = toy.ToyTask(toy.spec(), known_bounds=(toy.bound(5),))
    assert submit(start(ledger, task), 44).decision.reason == "beyond-bound"


def test_an_incumbent_beyond_a_proven_bound_is_trouble(ledger: Ledger) -> None:
    task = toy.ToyTask(toy.spec(), known_bounds=(toy.bound(5),))
    with pytest.raises(Crashed, match="mine is beyond the proven bound"):
        start(ledger, task, rivals=[Rival("mine", toy.payload(44))])


def test_attempts_are_limited_and_counted_over_runs(ledger: Ledger) -> None:
    session = start(ledger, budget=Budget(attempts=2))
    submit(session, 7)
    again = Session.resume(ledger, session.identity, toy.ToyTask(toy.spec()))
    submit(again, 9)
    with pytest.raises(BudgetSpent, match="attempts"):
        submit(again, 11)
    assert len(ledger.trials(session.identity)) == 2


def test_tokens_and_money_are_counted_from_usage(ledger: Ledger) -> None:
    session = start(ledger, budget=Budget(tokens=100))
    session.submit(Proposal(toy.payload(7), Usage(60, 50, Fraction(1, 4))))
    with pytest.raises(BudgetSpent, match="tokens"):
        submit(session, 9)
    assert session.spent.money == Fraction(1, 4)


def test_trouble_is_recorded_and_is_no_verdict(ledger: Ledger) -> None:
    def fails(number: int) -> None:
        if number == 60:
            raise Unavailable("the solver is not here")

    session = start(ledger, toy.ToyTask(toy.spec(), on_check=fails))
    with pytest.raises(Unavailable):
        submit(session, 60)
    trial = ledger.trials(session.identity)[0]
    assert trial.verdict is None
    assert trial.decision is None
    assert "the solver is not here" in str(trial.failure)
    assert submit(session, 80).accepted


def test_trouble_is_not_a_known_answer(ledger: Ledger) -> None:
    broken = [True]

    def fails(number: int) -> None:
        if broken and number == 60:
            broken.clear()
            raise Crashed("once")

    session = start(ledger, toy.ToyTask(toy.spec(), on_check=fails))
    with pytest.raises(Crashed):
        submit(session, 60)
    assert submit(session, 60).accepted


def test_an_unexpected_exception_in_trusted_code_is_trouble(ledger: Ledger) -> None:
    def fails(number: int) -> None:
        if number == 60:
            raise ZeroDivisionError("a defect")

    session = start(ledger, toy.ToyTask(toy.spec(), on_check=fails))
    with pytest.raises(Crashed, match="ZeroDivisionError"):
        submit(session, 60)
    assert ledger.trials(session.identity)[0].verdict is None


def test_a_run_ends_when_nothing_better_can_exist(ledger: Ledger) -> None:
    session = start(ledger, toy.ToyTask(toy.spec(), numbers=(80, 42, 44)))
    run = session.run(session.make_agent(Search))
    assert run.stopped == "nothing-better"
    assert [trial.number for trial in run.accepted] == [1, 2]
    assert session.incumbent.values == {"cost": 0}


def test_a_run_ends_when_the_agent_has_no_more(ledger: Ledger) -> None:
    session = start(ledger, toy.ToyTask(toy.spec(), numbers=(80, 7)))
    assert session.run(session.make_agent(Search)).stopped == "exhausted"


def test_a_run_stops_on_request_and_keeps_the_record(ledger: Ledger) -> None:
    session = start(ledger)
    seen: list[object] = []

    def watch(event: object) -> None:
        seen.append(event)
        if len(seen) == 2:
            session.stop()

    run = session.run(session.make_agent(Search), watch=watch)
    assert run.stopped == "asked"
    assert len(ledger.trials(session.identity)) == 2


def test_three_troubles_in_a_row_end_a_run(ledger: Ledger) -> None:
    def fails(number: int) -> None:
        if number != 100:
            raise Crashed("always")

    session = start(ledger, toy.ToyTask(toy.spec(), on_check=fails))
    run = session.run(session.make_agent(Search))
    assert run.stopped == "trouble"
    assert len(ledger.trials(session.identity)) == 3
    assert all(trial.failure for trial in session.trials)


def test_an_agent_that_fails_is_asked_again_and_costs_nothing(ledger: Ledger) -> None:
    class Shaky:
        name = "shaky"
        deterministic = False
        calls = 0

        def propose(self, brief, history):
            self.calls += 1
            yield Proposal(toy.payload(80 - 10 * self.calls))
            raise Crashed("connection reset")

    session = start(ledger, budget=Budget(attempts=2))
    assert session.run(Shaky()).stopped == "budget"
    assert len(session.trials) == 2


def test_an_agent_that_cannot_work_here_ends_the_run(ledger: Ledger) -> None:
    class Gone:
        name = "gone"
        deterministic = False

        def propose(self, brief, history):
            raise Unavailable("no such model")
            yield

    run = start(ledger).run(Gone())
    assert run.stopped == "trouble"
    assert "no such model" in run.detail


@pytest.mark.parametrize("error", [InvalidInput("no such option"), KeyError("a defect")])
def test_an_agent_that_breaks_ends_the_run_and_the_end_is_recorded(ledger: Ledger, error) -> None:
    class Broken:
        name = "broken"
        deterministic = False

        def propose(self, brief, history):
            yield Proposal(toy.payload(80))
            raise error

    session = start(ledger)
    run = session.run(Broken())
    assert run.stopped == "trouble"
    assert str(error) in run.detail
    ended = ledger.session(session.identity).ended
    assert ended is not None
    assert ended.reason.startswith("trouble")
    assert session.trials[0].accepted


def test_interrupted_and_resumed_a_deterministic_agent_continues_the_same(tmp_path: Path) -> None:
    def outcomes(session: Session):
        return [(t.payload, t.decision and t.decision.reason) for t in session.trials]

    with Ledger.open(tmp_path / "whole") as ledger:
        whole = start(ledger)
        whole.run(whole.make_agent(Search))
    expected = outcomes(whole)
    for after in range(1, len(expected)):
        with Ledger.open(tmp_path / f"cut{after}") as ledger:
            cut = start(ledger, budget=Budget(attempts=after))
            cut.run(cut.make_agent(Search))
            task = toy.ToyTask(toy.spec())
            resumed = Session.resume(ledger, cut.identity, task, budget=Budget(attempts=99))
            resumed.run(resumed.make_agent(Search))
            assert outcomes(resumed) == expected


def test_what_solvers_prove_reaches_the_session_past_the_agent(ledger: Ledger) -> None:
    task = toy.ToyTask(toy.spec(), numbers=(80,), known_bounds=(), late_bound=toy.bound(1))
    session = start(ledger, task)
    session.run(session.make_agent(Search))
    assert [bound.value for bound in ledger.bounds(session.identity)] == [1]


def test_a_bound_that_contradicts_an_acceptance_is_trouble(ledger: Ledger) -> None:
    task = toy.ToyTask(toy.spec(), numbers=(80,), late_bound=toy.bound(50))
    session = start(ledger, task)
    run = session.run(session.make_agent(Search))
    assert session.trials[0].accepted
    assert run.stopped == "trouble"
    assert "contradicts trial 1" in run.detail


def test_an_acceptance_has_a_certificate_about_its_files(ledger: Ledger, tmp_path: Path) -> None:
    session = start(ledger)
    trial = submit(session, 44)
    paths = publish(tmp_path, ledger, trial)
    assert {path.name for path in paths} == {"number.txt", "double.txt", "certificate.json"}
    folder = paths[0].parent
    opened = open_certificate((folder / "certificate.json").read_bytes())
    assert opened.acceptance.spec == session.task.spec
    assert opened.acceptance.gaps == {}  # no ratio to a bound of zero
    assert opened.acceptance.baseline is not None
    assert opened.acceptance.baseline.values == {"cost": 58}
    assert {file.name for file in match_files(opened.statement, folder)} == {
        "number.txt",
        "double.txt",
    }
    (folder / "number.txt").write_text("46")
    publish(tmp_path, ledger, trial)
    assert (folder / "number.txt").read_text() == "44"


def test_a_proof_is_all_for_some_goals(ledger: Ledger) -> None:
    task = toy.ToyTask(toy.spec(goal=Satisfy()), known_bounds=())
    session = start(ledger, task)
    run = session.run(session.make_agent(Search))
    assert run.stopped == "nothing-better"
    assert session.trials[-1].decision.ground == "proven"


def test_measured_goals_are_decided_by_the_comparison(ledger: Ledger) -> None:
    lucky = Comparison("not-shown", 1.3, (0.9, 1.6), 0.001, "betting")
    task = toy.ToyTask(toy.spec(), taken="measured", comparison=lucky)
    assert submit(start(ledger, task), 44).decision.reason == "not-better"
    sure = Comparison("better", 1.3, (1.2, 1.4), 0.001, "betting")
    task = toy.ToyTask(toy.spec(), taken="measured", comparison=sure)
    session = start(ledger, task)
    trial = submit(session, 46)
    assert trial.decision.ground == "measured-better"
    assert trial.comparison == sure


def test_error_is_spent_before_a_measured_comparison_begins(ledger: Ledger) -> None:
    seen = []

    class Task(toy.ToyTask):
        def compare(self, candidate, incumbent, context):
            seen.append((context.error, len(ledger.errors(self.spec.digest))))
            if candidate.value == 46:
                raise Crashed("killed")
            return Comparison("not-shown", 1.0, (0.9, 1.1), context.error, "betting")

    session = start(ledger, Task(toy.spec(), taken="measured"))
    submit(session, 44)
    with pytest.raises(Crashed, match="killed"):
        submit(session, 46)
    again = start(ledger, Task(toy.spec(), taken="measured"))
    submit(again, 48)
    assert seen == [(pytest.approx(0.01 * 6 / math.pi**2 / n**2), n) for n in (1, 2, 3)]
    assert [one.number for one in ledger.errors(session.task.spec.digest)] == [1, 2, 3]


def test_exact_metrics_spend_no_error(ledger: Ledger) -> None:
    session = start(ledger)
    submit(session, 44)
    assert ledger.errors(session.task.spec.digest) == []


def test_a_comparison_that_uses_more_error_than_was_spent_accepts_nothing(ledger: Ledger) -> None:
    bold = Comparison("better", 1.3, (1.2, 1.4), 0.05, "betting")
    session = start(ledger, toy.ToyTask(toy.spec(), taken="measured", comparison=bold))
    with pytest.raises(Crashed, match=r"an error of 0\.05, 0\.0061 were spent"):
        submit(session, 44)
    assert session.trials[-1].failure is not None


def test_the_record_of_a_session_is_plain_json(ledger: Ledger, tmp_path: Path) -> None:
    session = start(ledger)
    submit(session, 44)
    with (tmp_path / "out.jsonl").open("w+") as stream:
        ledger.export(session.identity, stream)
        stream.seek(0)
        kinds = [json.loads(line)["kind"] for line in stream]
    assert kinds[0] == "ledger"
    assert "trial" in kinds
    assert "certificate" in kinds

"""Under which isolation a candidate's programs ran is in every result and certificate."""

from dataclasses import dataclass

import pytest
import toy

from certune.certificate import open_certificate
from certune.cli.optimize import context
from certune.cli.options import isolation_level
from certune.cli.programs import Programs
from certune.core import ConfigurationError, Context, Measurement, Proposal, Unavailable
from certune.core.run import Job, Outcome
from certune.environment import fingerprint
from certune.judging import judge
from certune.ledger import Ledger
from certune.sandbox.isolation import probe
from certune.sandbox.isolation.probe import Report, Standing
from certune.sandbox.model import Isolation, weakest
from certune.session import Session

JOB = Job("python", b"print(1)")


class Runner:
    """Runs nothing, at the levels that it is told."""

    def __init__(self, *levels: str) -> None:
        self.levels = list(levels)

    def run(self, job: Job) -> Outcome:
        return Outcome("finished", b"", "", 0.0, self.levels.pop(0))


@dataclass
class Running(toy.ToyTask):
    """A toy whose candidates above 50 run a program when they are elaborated and checked."""

    def elaborate(self, payload, context):
        candidate = super().elaborate(payload, context)
        if candidate.value > 50 and context.runner is not None:
            context.runner.run(JOB)
        return candidate

    def check(self, candidate, context):
        if candidate.value > 50 and context.runner is not None:
            context.runner.run(JOB)
        return super().check(candidate, context)


def task(**options) -> Running:
    return Running(toy.spec(), **options)


def test_the_weakest_level_is_what_counts():
    assert weakest([]) is None
    assert weakest(["contained", "confined"]) == "confined"
    assert weakest(["declared", "contained"]) == "contained"
    assert weakest(["process", "made-up"]) == "made-up"


def test_a_judgement_tells_it():
    judged = judge(task(), toy.payload(80), Context(runner=Runner("contained", "confined")))
    assert judged.isolation == "confined"
    assert judge(task(), toy.payload(44), Context(runner=Runner())).isolation is None
    assert judge(task(), toy.payload(44), Context()).isolation is None
    invalid = judge(task(), toy.payload("x"), Context(runner=Runner()))
    assert (invalid.isolation, invalid.candidate) == (None, None)


def test_trials_and_certificates_tell_it_each_for_itself(tmp_path):
    runner = Runner(*["confined"] * 2, "contained", "confined", *["contained"] * 2)
    with Ledger.open(tmp_path) as ledger:
        session = Session.start(ledger, task(), agent="search", context=Context(runner=runner))
        trials = [session.submit(Proposal(toy.payload(n))) for n in (81, 60, 44)]
        assert [trial.accepted for trial in trials] == [False, True, True]
        assert [trial.isolation for trial in trials] == ["confined", "contained", None]
        assert ledger.trials(session.identity) == trials
        told = [
            open_certificate(sealed).acceptance.environment
            for _, sealed in ledger.certificates(session.identity)
        ]
    assert [environment.isolation for environment in told] == ["contained", None]
    assert [environment.measuring for environment in told] == [None, None]


def test_a_known_answer_tells_how_it_became_known(tmp_path):
    runner = Runner("contained", "contained", "confined", "confined", "contained")
    with Ledger.open(tmp_path) as ledger:
        session = Session.start(ledger, task(), agent="search", context=Context(runner=runner))
        first, again = (session.submit(Proposal(toy.payload(81))) for _ in range(2))
    assert (first.known, first.isolation) == (False, "confined")
    assert (again.known, again.isolation) == (True, "confined")


def test_what_is_measured_names_the_environment_it_was_measured_in():
    context = Context(runner=Runner("confined", "confined"))
    judged = judge(task(taken="measured"), toy.payload(80), context)
    assert isinstance(judged.measurement, Measurement)
    expected = fingerprint(isolation="confined", measured=True).digest
    assert judged.measurement.environment == expected
    assert judge(task(), toy.payload(80), Context()).measurement.environment == ""


def test_levels_are_known_by_their_words():
    assert isolation_level(None) is None
    assert isolation_level("contained") is Isolation.CONTAINED
    for word in ("none", "CONFINED", " "):
        with pytest.raises(ConfigurationError, match="there is no isolation"):
            isolation_level(word)


def test_the_environments_requirement_holds_for_commands_without_the_option(monkeypatch):
    monkeypatch.setenv("CERTUNE_REQUIRE_ISOLATION", "contained")
    assert isolation_level(None) is Isolation.CONTAINED
    assert isolation_level("confined") is Isolation.CONFINED
    monkeypatch.setattr("certune.cli.programs.Programs.__init__", lambda self, level: seen(level))
    levels = []
    seen = levels.append
    context()
    assert levels == [Isolation.CONTAINED]


def test_a_requirement_is_tried_before_anything_is_begun(monkeypatch):
    standings = (
        Standing(Isolation.CONFINED, True),
        Standing(Isolation.CONTAINED, False, "no namespaces", "allow them"),
    )
    monkeypatch.setattr("certune.sandbox.runner.available", lambda: Report(standings))
    Programs(Isolation.CONFINED)
    Programs(Isolation.DECLARED)
    Programs()
    with pytest.raises(Unavailable, match="'contained' is required: no namespaces; allow them"):
        Programs(Isolation.CONTAINED)


@pytest.mark.skipif(probe.available().best < Isolation.CONFINED, reason="no confined workers here")
def test_programs_run_at_the_level_that_results_tell():
    assert Programs().run(JOB).isolation == probe.available().best.word
    declared = Programs(Isolation.DECLARED).run(JOB)
    assert (declared.output, declared.isolation) == (b"1\n", "declared")

"""Certificates that lie. Each is well-formed and says something that the evidence does not show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from accepted import Accepted, accepted, context

from certune.certificate import Acceptance, build, open_certificate, seal
from certune.core import (
    Comparison,
    File,
    InvalidInput,
    Limits,
    Measurement,
    NotRepeatable,
    Payload,
    Status,
)
from certune.core.canonical import dumps
from certune.core.proof import Answer, Query
from certune.judging import judge
from certune.recheck import recheck
from certune.tasks.collective import library
from certune.tasks.collective.parameters import from_data
from certune.tasks.collective.solvers import infeasible
from certune.tasks.collective.solvers.problem import Problem
from certune.tasks.collective.task import SCHEDULE, CollectiveTask

Change = Callable[[Acceptance], Acceptance]

RING = {"topology": "ring", "ranks": "4", "baseline": "tree"}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    return accepted(tmp_path_factory.mktemp("honest"), "collective/allgather", RING)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    parameters = {"topology": "full", "ranks": "4", "baseline": "ring"}
    return accepted(tmp_path_factory.mktemp("other"), "collective/allgather", parameters)


def check(acceptance: Acceptance, files: dict[str, bytes]) -> str:
    """What `certune check` says of a certificate that was sealed and opened again."""
    statement = build(acceptance, [File(name, data) for name, data in files.items()])
    opened = open_certificate(seal(statement, None))
    return recheck(opened.acceptance, files, context()).answer


def measured(acceptance: Acceptance, **values: Fraction) -> Acceptance:
    assert acceptance.measurement is not None
    changed = {**acceptance.measurement.values, **values}
    return replace(acceptance, measurement=replace(acceptance.measurement, values=changed))


def bound(acceptance: Acceptance, name: str, **changes: object) -> Acceptance:
    assert any(b.name == name for b in acceptance.bounds)
    bounds = [replace(b, **changes) if b.name == name else b for b in acceptance.bounds]
    return replace(acceptance, bounds=tuple(bounds))


def obligation(acceptance: Acceptance, **changes: object) -> Acceptance:
    first, *rest = acceptance.obligations
    return replace(acceptance, obligations=(replace(first, **changes), *rest))


def test_the_honest_one_is_confirmed(honest: Accepted) -> None:
    assert check(honest.acceptance, honest.files) == "confirmed"


LIES: dict[str, Change] = {
    "more bandwidth than it has": lambda a: replace(
        measured(a, bandwidth=Fraction(199, 3)), bounds=(), gaps={}
    ),
    "fewer steps than it takes": lambda a: measured(a, steps=Fraction(1)),
    "measured, not modelled": lambda a: replace(
        a, measurement=Measurement("measured", a.measurement.values if a.measurement else {})
    ),
    "measured-better": lambda a: replace(a, decision=replace(a.decision, ground="measured-better")),
    "proven": lambda a: replace(a, decision=replace(a.decision, ground="proven")),
    "no gap where there is one": lambda a: replace(a, gaps={"bandwidth": Fraction(1, 7)}),
    "a gap left out": lambda a: replace(a, gaps={}),
    "a worse baseline": lambda a: replace(
        a, baseline=Measurement("modelled", {"bandwidth": Fraction(1)})
    ),
    "a bound that is said to be an estimate": lambda a: bound(a, "cut", kind="estimated"),
    "a bound in other words": lambda a: bound(a, "cut", claim="nothing is ever better"),
    "a bound in scope of nothing": lambda a: bound(a, "cut", scope={"steps": Fraction(99)}),
    "an obligation that does not exist": lambda a: obligation(a, name="energy"),
    "an obligation in other words": lambda a: obligation(a, claim="faster than anything"),
    "another way of showing it": lambda a: obligation(a, method="exhaustive"),
    "measured to be a thousand times better": lambda a: replace(
        a, comparison=Comparison("better", 1000.0, (999.0, 1001.0), 0.01, "welch")
    ),
    "the baseline of somebody else": lambda a: replace(a, baseline_name="vendor library"),
    "no baseline": lambda a: replace(a, baseline=None),
    "better than a better one": lambda a: replace(a, incumbent={"bandwidth": Fraction(10**6)}),
    "better than nothing": lambda a: replace(a, incumbent={}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refuted(honest: Accepted, lie: str) -> None:
    assert check(LIES[lie](honest.acceptance), honest.files) == "refuted"


def test_the_certificate_of_another_task_is_refuted(honest: Accepted, other: Accepted) -> None:
    """A certificate keeps its obligations and is given another specification."""
    moved = replace(
        honest.acceptance,
        spec=other.acceptance.spec,
        spec_digest=other.acceptance.spec_digest,
    )
    assert check(moved, honest.files) == "refuted"


def test_the_files_of_another_task_are_refuted(honest: Accepted, other: Accepted) -> None:
    assert check(honest.acceptance, other.files) == "refuted"


def test_a_file_that_does_not_follow_from_the_artefact_is_refuted(honest: Accepted) -> None:
    """The XML is right by itself and is not the schedule's."""
    files = dict(honest.files)
    name = next(name for name in files if name.endswith(".xml"))
    files[name] = files[name].replace(b'name="certune"', b'name="certain"')
    assert files[name] != honest.files[name]
    assert check(honest.acceptance, files) == "refuted"


def test_a_file_more_is_refuted(honest: Accepted) -> None:
    assert check(honest.acceptance, {**honest.files, "extra.xml": b"<algo/>"}) == "refuted"


@pytest.mark.parametrize("floor", [status for status in Status if status is not Status.PROVED])
@pytest.mark.parametrize("name", ["*", "postcondition"])
def test_no_certificate_brings_lower_floors(honest: Accepted, name: str, floor: Status) -> None:
    """Else a refuted schedule meets them, and the certificate is true of its own spec."""
    spec = replace(honest.acceptance.spec, floors={name: floor})
    easier = replace(honest.acceptance, spec=spec, spec_digest=spec.digest)
    with pytest.raises(InvalidInput, match="must be proved"):
        check(easier, honest.files)


def test_no_certificate_brings_its_own_limits(honest: Accepted) -> None:
    spec = replace(honest.acceptance.spec, limits=Limits(payload_bytes=10**18))
    with pytest.raises(InvalidInput, match="limits"):
        check(replace(honest.acceptance, spec=spec, spec_digest=spec.digest), honest.files)


def test_a_counterexample_is_confirmed_under_no_floors(
    honest: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a family let such floors pass, the check still does not."""
    spec = replace(honest.acceptance.spec, floors={"*": Status.REFUTED})
    task = CollectiveTask(spec, "allgather", from_data("allgather", spec.parameters))
    monkeypatch.setattr("certune.plugins.open_task", lambda _: task)
    # Three of the four ranks' sends are missing, which makes it as fast as the best.
    steps = [{"copy": [[rank, rank + 1, 2 * rank]]} for rank in range(3)]
    form = {"format": "certune-schedule/1", "collective": "allgather", "ranks": 4, "pieces": 8}
    judged = judge(task, Payload(SCHEDULE, dumps({**form, "steps": steps})), context())
    assert judged.candidate is not None
    assert judged.verdict.met
    easier = replace(
        honest.acceptance,
        spec=spec,
        spec_digest=spec.digest,
        status=judged.verdict.status,
        obligations=judged.verdict.obligations,
        measurement=judged.measurement,
        artefact=judged.candidate.artefact.name,
    )
    file = judged.candidate.artefact
    assert check(easier, {file.name: file.data}) == "refuted"


def test_bounds_without_end_end_the_check(
    honest: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certune.recheck.PATIENCE", -1.0)
    assert check(honest.acceptance, honest.files) == "not-repeatable"
    worse = measured(honest.acceptance, steps=Fraction(1))
    assert check(worse, honest.files) == "refuted"


def test_a_bound_whose_query_fills_the_memory_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its numbers are small enough by themselves; the counters in the query are not."""
    monkeypatch.setattr(infeasible, "_CLAUSES", 200_000)  # to be quick
    problem = Problem("allgather", library.build("dgx1"))
    answer = Answer("unsat", "cadical", "1", 1, 0.0)
    bomb = infeasible.bound(problem, 90, 100, 2000, Query("dimacs", b"p cnf 0 0\n"), answer)
    prover = context().prover
    assert prover is not None
    with pytest.raises(NotRepeatable, match="more than 200000 clauses"):
        infeasible.recheck_infeasible(problem, bomb, prover)


CONTRADICTIONS: dict[str, Change] = {
    "another digest of its spec": lambda a: replace(a, spec_digest="sha256:" + "0" * 64),
    "a bound that it beats": lambda a: bound(a, "cut", value=Fraction(66)),
    "better than its own bound": lambda a: measured(a, bandwidth=Fraction(10**6)),
    "proved, with an obligation refuted": lambda a: obligation(a, status=Status.REFUTED),
    "of a refusal": lambda a: replace(a, decision=replace(a.decision, reason="not-better")),
}


@pytest.mark.parametrize("lie", CONTRADICTIONS)
def test_a_certificate_that_contradicts_itself_is_none(honest: Accepted, lie: str) -> None:
    with pytest.raises(InvalidInput):
        check(CONTRADICTIONS[lie](honest.acceptance), honest.files)

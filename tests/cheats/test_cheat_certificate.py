"""Certificates that lie. Each is well-formed and says something that the evidence does not show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from accepted import Accepted, accepted, context

from certune.certificate import Acceptance, build, open_certificate, seal
from certune.core import File, InvalidInput, Measurement, Status
from certune.recheck import recheck

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


def test_floors_lowered_in_the_specification_make_it_another_one(honest: Accepted) -> None:
    """What the certificate shows then is about a specification that the pin does not expect."""
    spec = replace(honest.acceptance.spec, floors={"*": Status.REFUTED})
    easier = replace(honest.acceptance, spec=spec, spec_digest=spec.digest)
    assert easier.spec_digest != honest.acceptance.spec_digest


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

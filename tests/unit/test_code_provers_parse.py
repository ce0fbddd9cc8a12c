"""What tools say, recorded from Debian's or from memory of newer ones, and what it means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from certune.core.errors import Crashed
from certune.core.status import Status
from certune.tasks.code.provers import dafny, framac, verus

DATA = Path(__file__).parents[1] / "data" / "provers"
DAFNY = (DATA / "dafny23-verified.txt").read_text()
FRAMAC = (DATA / "framac25-verified.txt").read_text()
# As documented for `verus --output-json`.
VERUS = {
    "verification-results": {
        "encountered-vir-error": False,
        "success": True,
        "verified": 2,
        "errors": 0,
        "is-verifying-entire-crate": True,
    }
}
# As Dafny 4 writes with /trace, of a method.
DAFNY4 = """\
Verifying Max (correctness) ...
  [0.261 s, resource count: 33123, 12 proof obligations]  verified

Dafny program verifier finished with 1 verified, 0 errors
"""


def test_debian_dafny_names_each_method_and_lemma_that_it_verified():
    report = dafny.parse(DAFNY, 0, ("Max", "L"), "contained")
    assert report.status is Status.PROVED
    assert (report.verified, report.functions, report.isolation) == (4, ("Max", "L"), "contained")


def test_a_method_that_dafny_does_not_name_is_not_proved():
    report = dafny.parse(DAFNY, 0, ("Max", "L", "Other"))
    assert report.status is Status.UNKNOWN
    assert "Other" in report.failures[0].message


def test_well_formed_is_not_verified():
    said = DAFNY.replace("Impl$$_module.__default.L ", "CheckWellformed$$_module.__default.L ")
    assert dafny.parse(said, 0, ("Max", "L")).status is Status.UNKNOWN


def test_dafny_places_what_fails():
    report = dafny.parse((DATA / "dafny23-failed.txt").read_text(), 4, ("Max", "L"))
    assert report.status is Status.UNKNOWN
    assert "postcondition might not hold" in report.failures[0].message
    assert report.failures[0].place is not None
    assert report.failures[0].place.line == 8


def test_newer_dafny_by_its_documented_output():
    assert dafny.parse(DAFNY4, 0, ("Max",)).status is Status.PROVED
    assert dafny.parse(DAFNY4, 0, ("Max", "Min")).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("4 verified, 0 errors", "5 verified, 0 errors"),
        ("4 verified, 0 errors", "4 verified, 1 error"),
        ("4 verified, 0 errors", "4 verified, 0 errors, 1 time out"),
        ("unknown parameter 'model_compress'", "out of memory"),
        ("Inlining...", "Warning: something is skipped"),
        ("Dafny program verifier finished", "Dafny program verifier did not finish"),
    ],
)
def test_unexpected_words_of_dafny_are_trouble_of_our_own(old: str, new: str):
    assert old in DAFNY
    with pytest.raises(Crashed):
        dafny.parse(DAFNY.replace(old, new), 0, ("Max", "L"))


def test_dafny_with_another_exit_status_is_trouble():
    for status in (1, 3, 4, -11):
        with pytest.raises(Crashed):
            dafny.parse(DAFNY, status, ("Max", "L"))


def test_dafny_that_cannot_parse_is_invalid():
    said = "Parsing program.dfy\nprogram.dfy(1,22): Error: invalid Rhs\n"
    report = dafny.parse(said, 2, ("M",))
    assert report.status is Status.INVALID


def test_frama_c_reports_each_property():
    report = framac.parse(FRAMAC, 0, ("count", "max2"))
    assert report.status is Status.PROVED
    assert report.verified == 11


def test_a_function_without_a_property_is_not_proved():
    report = framac.parse(FRAMAC, 0, ("count", "max2", "third"))
    assert report.status is Status.UNKNOWN
    assert "third" in report.failures[-1].message


def test_frama_c_places_what_is_open():
    report = framac.parse((DATA / "framac25-open.txt").read_text(), 0, ("max",))
    assert report.status is Status.UNKNOWN
    assert report.failures[0].place is not None
    assert report.failures[0].place.line == 11


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("11 / 11", "11 / 12"),
        ("11 / 11", "10 / 11"),
        ("[wp] 11 goals scheduled", "[wp] 12 goals scheduled"),
        ("[wp] 11 goals scheduled\n", ""),
        ("Running WP plugin...", "Running something"),
        ("typed_count_ensures : Valid", "typed_count_ensures : Vaild"),
    ],
)
def test_unexpected_words_of_frama_c_are_trouble_of_our_own(old: str, new: str):
    assert old in FRAMAC
    with pytest.raises(Crashed):
        framac.parse(FRAMAC.replace(old, new), 0, ("count", "max2"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[  Valid  ] Post-condition", "[ Extern  ] Post-condition"),
        ("[  Valid  ] Post-condition", "[ Partial ] Post-condition"),
        ("[wp] Running", "[wp] Warning: Missing RTE guards\n[wp] Running"),
    ],
)
def test_less_than_valid_is_unknown(old: str, new: str):
    assert old in FRAMAC
    said = FRAMAC.replace(old, new)
    assert framac.parse(said, 0, ("count", "max2")).status is Status.UNKNOWN


def test_frama_c_with_another_exit_status_is_trouble():
    with pytest.raises(Crashed):
        framac.parse(FRAMAC, 1, ("count", "max2"))


def test_verus_by_its_documented_output():
    report = verus.parse(json.dumps(VERUS), "", 0, ("count", "shown"))
    assert report.status is Status.PROVED
    assert report.verified == 2


def test_verus_counts_fewer_than_there_are():
    report = verus.parse(json.dumps(VERUS), "", 0, ("count", "shown", "third"))
    assert report.status is Status.UNKNOWN


def test_verus_places_what_fails():
    results = VERUS["verification-results"] | {"success": False, "verified": 1, "errors": 1}
    said = "error: postcondition not satisfied\n  --> program.rs:7:13\n   |\n"
    report = verus.parse(json.dumps({"verification-results": results}), said, 1, ("f",))
    assert report.status is Status.UNKNOWN
    assert str(report.failures[0].place) == "7:13"


@pytest.mark.parametrize(
    "change",
    [
        {"success": False},
        {"success": "true"},
        {"errors": 1},
        {"verified": "2"},
        {"verified": True},
        {"encountered-vir-error": True},
        {"is-verifying-entire-crate": False},
    ],
)
def test_another_answer_of_verus_is_never_a_proof(change: dict[str, object]):
    said = json.dumps({"verification-results": VERUS["verification-results"] | change})
    try:
        report = verus.parse(said, "", 0, ("count", "shown"))
    except Crashed:
        return
    assert report.status is not Status.PROVED


@pytest.mark.parametrize("said", ["", "[]", "null", "{", '{"verification-results": 3}'])
def test_verus_without_results_is_trouble(said: str):
    with pytest.raises(Crashed):
        verus.parse(said, "", 0, ("f",))


def test_a_failed_goal_counts_even_where_the_report_leaves_its_property_out():
    said = FRAMAC.replace(
        "[wp] [Qed] Goal typed_count_ensures : Valid (2ms)",
        "[wp] [Failed] Goal typed_count_ensures",
    ).replace("11 / 11", "10 / 11")
    assert "[Failed]" in said
    report = framac.parse(said, 0, ("count", "max2"))
    assert report.status is Status.UNKNOWN
    assert "typed_count_ensures" in report.failures[0].message

"""Edits of the file behind the ledger's back show."""

import sqlite3
from contextlib import closing

import pytest
from record_samples import BOUND, SPEC, payload, trial

from certune.core.budget import Budget
from certune.core.canonical import sha256
from certune.core.errors import LedgerCorrupt, LedgerError
from certune.ledger import Ledger
from certune.ledger.records import chain


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path) as opened:
        opened.start("s1", SPEC, "search", {}, Budget())
        for number in (1, 2, 3):
            opened.record_trial(trial(number), blobs=[payload(number)], certificate=b"c")
        opened.record_bound("s1", BOUND)
        opened.end("s1", "done", 1.0)
        yield opened


def edit(ledger, statement, *values):
    with closing(sqlite3.connect(ledger.path)) as raw, raw:
        assert raw.execute(statement, values).rowcount == 1


def rehash(ledger, seq, **members):
    """Change a record and give it a hash that fits, as who knows the format would."""
    names = ("seq", "session", "kind", "body", "previous")
    with closing(sqlite3.connect(ledger.path)) as raw:
        row = raw.execute("SELECT * FROM records WHERE seq = ?", (seq,)).fetchone()
    values = {**dict(zip(names, row, strict=False)), **members}
    edit(
        ledger,
        "UPDATE records SET session=?, kind=?, body=?, previous=?, hash=? WHERE seq=?",
        *[values[name] for name in names[1:]],
        chain(**values),
        seq,
    )


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE records SET body = replace(body, '1/6', '1/7') WHERE seq = 2", "record 2 was"),
        ("UPDATE records SET session = 's2' WHERE seq = 4", "record 4 was changed"),
        ("UPDATE records SET kind = 'trial' WHERE seq = 8", "record 8 was changed"),
        ("UPDATE records SET hash = previous WHERE seq = 5", "record 5 was changed"),
        ("UPDATE records SET seq = 20 WHERE seq = 5", "record 5 is missing"),
        ("DELETE FROM records WHERE seq = 3", "record 3 is missing"),
        ("DELETE FROM records WHERE seq = 1", "record 1 is missing"),
        ("UPDATE blobs SET data = x'00' WHERE length(data) = 1", "stored as sha256:.* was changed"),
        ("DELETE FROM blobs WHERE length(data) = 1", "names sha256:.*, which is gone"),
        ("UPDATE meta SET value = 'x' WHERE name = 'project'", "record 1 does not follow record 0"),
    ],
)
def test_verification_names_what_was_edited(ledger, statement, told):
    ledger.verify()
    edit(ledger, statement)
    with Ledger.open(ledger.path.parent.parent) as opened, pytest.raises(LedgerCorrupt, match=told):
        opened.verify()


def test_an_edit_with_a_fitting_hash_breaks_the_chain_after_it(ledger):
    (row,) = ledger._rows("seq = ?", 4)
    rehash(ledger, 4, body=row.body.replace('"rounds":"1/3"', '"rounds":"1/4"'))
    assert ledger.trials("s1")[1].measurement.values["rounds"] == 1 / 4  # alone it looks right
    with pytest.raises(LedgerCorrupt, match="record 5 does not follow record 4"):
        ledger.verify()


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"kind": "note"}, "unknown kind"),
        ({"body": "{}"}, "member 'reason' is missing"),
        ({"body": "{"}, "not JSON"),
        ({"body": '{"reason": "x"}'}, "missing"),
        ({"session": "s7"}, "session 's7' was not started"),
    ],
)
def test_a_last_record_that_is_none(ledger, members, told):
    rehash(ledger, 9, **members)
    with pytest.raises(LedgerCorrupt, match=told):
        ledger.verify()


def test_a_body_in_another_form(ledger):
    (row,) = ledger._rows("seq = ?", 9)
    rehash(ledger, 9, body=row.body.replace(",", ", "))
    with pytest.raises(LedgerCorrupt, match=r"record 9 \(end\): not in canonical form"):
        ledger.verify()


def test_records_that_are_read_are_checked_on_their_own(ledger):
    edit(ledger, "UPDATE records SET body = replace(body, '1/6', '1/7') WHERE seq = 2")
    with pytest.raises(LedgerCorrupt, match="record 2 was changed"):
        ledger.trials("s1")
    with pytest.raises(LedgerCorrupt, match="record 2 was changed"):
        ledger.accepted(SPEC.digest)
    edit(ledger, "UPDATE blobs SET data = x'00' WHERE digest = ?", sha256(payload(2)))
    with pytest.raises(LedgerCorrupt, match="was changed"):
        ledger.blob(sha256(payload(2)))


def test_a_cut_tail_shows_only_against_a_head_kept_elsewhere(ledger):
    kept = ledger.head()
    edit(ledger, "DELETE FROM records WHERE seq = 9")
    assert ledger.verify().seq == 8
    with pytest.raises(LedgerError, match="the last ones were removed"):
        ledger.verify(kept)

"""The error budget of measured comparisons: spent before they begin, once, for good."""

import itertools
import math
import sqlite3

import pytest
from record_samples import OTHER, SPEC, payload, trial

from certune.core.budget import Budget
from certune.core.canonical import sha256
from certune.core.errors import InvalidInput, LedgerCorrupt
from certune.ledger import DEFAULT_ERROR, Ledger, database
from certune.ledger.spending import share

ARTEFACT = sha256(b"kernel")


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path) as opened:
        opened.start("s1", SPEC, "search", {}, Budget())
        opened.start("s2", SPEC, "search", {}, Budget())
        opened.start("o1", OTHER, "search", {}, Budget())
        yield opened


def test_the_shares_of_ever_so_many_stay_within_the_total():
    shares = [share(0.01, number) for number in range(1, 20_001)]
    assert math.fsum(shares) < 0.01
    assert math.fsum(shares) > 0.0099  # little is left unused
    assert all(after < before for before, after in itertools.pairwise(shares))


def test_each_comparison_gets_the_next_share_over_all_sessions_of_a_spec(ledger):
    given = [ledger.spend_error(name, ARTEFACT) for name in ("s1", "s2", "s1", "o1")]
    assert [one.number for one in given] == [1, 2, 3, 1]
    assert [one.error for one in given] == [share(DEFAULT_ERROR, n) for n in (1, 2, 3, 1)]
    assert [one.spec for one in given] == [SPEC.digest] * 3 + [OTHER.digest]
    assert ledger.errors(SPEC.digest) == given[:3]
    assert ledger.errors(OTHER.digest) == given[3:]
    assert {one.artefact for one in given} == {ARTEFACT}


def test_the_same_candidate_again_is_another_comparison(ledger):
    first, second = (ledger.spend_error("s1", ARTEFACT) for _ in range(2))
    assert second.error < first.error


def test_what_was_spent_stays_spent_when_the_ledger_is_opened_again(ledger, tmp_path):
    ledger.spend_error("s1", ARTEFACT)
    with Ledger.open(tmp_path) as other:  # as after a kill: no trial was ever recorded
        assert other.trials("s1") == []
        assert other.spend_error("s2", ARTEFACT).number == 2
    assert ledger.spend_error("s1", ARTEFACT).number == 3


def test_another_total_is_refused(ledger):
    ledger.spend_error("s1", ARTEFACT, total=0.05)
    with pytest.raises(InvalidInput, match=r"which is 0\.05; use 0\.05, or another project"):
        ledger.spend_error("s2", ARTEFACT)
    assert len(ledger.errors(SPEC.digest)) == 1
    ledger.spend_error("o1", ARTEFACT)  # another spec has a budget of its own


@pytest.mark.parametrize("total", [0.0, 1.0, -1.0, math.nan, math.inf])
def test_a_total_without_meaning_is_refused(ledger, total):
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        ledger.spend_error("s1", ARTEFACT, total=total)
    assert ledger.errors(SPEC.digest) == []


def test_a_session_that_was_never_started_spends_nothing(ledger):
    with pytest.raises(InvalidInput, match="no session"):
        ledger.spend_error("nobody", ARTEFACT)


def test_spending_is_part_of_the_chain(ledger, tmp_path):
    ledger.spend_error("s1", ARTEFACT)
    ledger.record_trial(trial(1), blobs=[payload(1)])
    assert ledger.verify().seq == 5
    with sqlite3.connect(ledger.path) as raw:  # give the error back
        raw.execute("UPDATE records SET body = replace(body, ':1,', ':9,') WHERE kind = 'error'")
    raw.close()
    with pytest.raises(LedgerCorrupt, match="record 4 was changed"):
        ledger.verify()
    with pytest.raises(LedgerCorrupt, match="record 4 was changed"):
        ledger.spend_error("s1", ARTEFACT)


def test_a_share_cannot_be_had_twice_whatever_the_code_above_does(ledger):
    ledger.spend_error("s1", ARTEFACT)
    with pytest.raises(sqlite3.IntegrityError):
        ledger._connection.execute(
            "INSERT INTO records SELECT seq + 1, session, kind, body, previous, hash"
            " FROM records WHERE kind = 'error'"
        )


def test_a_ledger_of_before_can_spend(tmp_path, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(database, "MIGRATIONS", database.MIGRATIONS[:1])
        with Ledger.open(tmp_path) as ledger:
            ledger.start("s1", SPEC, "search", {}, Budget())
            head = ledger.head()
    with Ledger.open(tmp_path) as ledger:
        assert ledger.verify() == head
        assert ledger.spend_error("s1", ARTEFACT).number == 1

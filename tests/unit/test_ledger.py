"""What a ledger records, and what it gives back."""

import io
import json
import sqlite3
from dataclasses import replace
from fractions import Fraction

import pytest
from record_samples import (
    BOUND,
    OTHER,
    REFUSED,
    SPEC,
    payload,
    trial,
    verdict,
)

from certune.core.budget import Budget, Spent
from certune.core.canonical import digest, sha256
from certune.core.errors import InvalidInput, LedgerBusy, LedgerError
from certune.core.status import Status
from certune.core.trial import Usage
from certune.ledger import Head, Ledger

BUDGET = Budget(attempts=10, money=Fraction(3, 2))


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path) as opened:
        opened.start("s1", SPEC, "search", {"restarts": 3}, BUDGET)
        yield opened


def record(ledger, one, **more):
    ledger.record_trial(one, blobs=[payload(one.number)], **more)


def test_a_session_reads_back(ledger):
    (session,) = ledger.sessions()
    assert ledger.session("s1") == ledger.session("last") == ledger.session("s") == session
    assert (session.id, session.spec, session.spec_digest) == ("s1", SPEC, SPEC.digest)
    assert (session.agent, session.options, session.budget) == ("search", {"restarts": 3}, BUDGET)
    assert session.started.endswith("Z")
    assert (session.trials, session.accepted, session.ended) == (0, 0, None)


def test_trials_read_back_in_order_with_content(ledger):
    trials = [trial(1), trial(2, decision=REFUSED), trial(3, failure="no solver", verdict=None)]
    for one in trials:
        record(ledger, one)
    assert ledger.trials("s1") == trials
    assert [ledger.blob(one.payload) for one in trials] == [payload(n) for n in (1, 2, 3)]
    assert ledger.session("s1").trials == 3
    assert ledger.session("s1").accepted == 2
    with Ledger.open(ledger.path.parent.parent, read_only=True) as reader:
        assert reader.trials("s1") == trials


@pytest.mark.parametrize("name", ["", "last", "a b", "../x", "-x", "x" * 65, "é", "a\n", "a\0"])
def test_a_session_is_named_plainly(ledger, name):
    with pytest.raises(InvalidInput, match="cannot name a session"):
        ledger.start(name, SPEC, "search", {}, Budget())
    assert len(ledger.sessions()) == 1


def test_a_session_is_started_once(ledger):
    with pytest.raises(InvalidInput, match="session 's1' exists; resume it"):
        ledger.start("s1", OTHER, "other", {}, Budget())
    assert ledger.session("s1").spec == SPEC
    assert ledger.head().seq == 1


def test_finding_a_session(ledger):
    ledger.start("s2", SPEC, "search", {}, Budget())
    ledger.start("sx.1_a", SPEC, "search", {}, Budget())
    assert ledger.session("sx").id == "sx.1_a"
    assert ledger.session("last").id == "sx.1_a"
    record(ledger, trial(1))
    assert ledger.session("last").id == "s1"  # the one that recorded last
    with pytest.raises(InvalidInput, match="3 sessions begin with 's'; give more of one: s1, s2"):
        ledger.session("s")
    with pytest.raises(InvalidInput, match="no session 's3'; did you mean 's"):
        ledger.session("s3")
    for odd in ("", "%", "_", "S1", "s1 "):
        with pytest.raises(InvalidInput):
            ledger.session(odd)


def test_an_empty_ledger_has_no_session(tmp_path):
    with Ledger.open(tmp_path) as empty:
        assert empty.sessions() == []
        assert empty.head().seq == 0
        assert empty.verify() == empty.head()
        with pytest.raises(InvalidInput, match="no session 'last'"):
            empty.session("last")


def test_a_number_is_recorded_once_and_the_second_writer_is_told(ledger):
    record(ledger, trial(1))
    before = ledger.head()
    with pytest.raises(LedgerBusy, match="another process runs this session"):
        ledger.record_trial(
            replace(trial(1), payload=sha256(b"new")), blobs=[b"new"], certificate=b"certificate"
        )
    assert ledger.head() == before
    assert ledger.certificates("s1") == []
    with pytest.raises(InvalidInput, match="no content"):
        ledger.blob(sha256(b"new"))
    record(ledger, trial(2))
    ledger.verify()


def test_the_database_itself_holds_numbers_unique(ledger):
    record(ledger, trial(1))
    with sqlite3.connect(ledger.path) as raw, pytest.raises(sqlite3.IntegrityError):
        raw.execute(
            "INSERT INTO records SELECT 99, session, kind, body, previous, hash FROM records"
            " WHERE kind = 'trial'"
        )
    raw.close()


@pytest.mark.parametrize(
    ("one", "kind", "told"),
    [
        (trial(1, session="s9"), InvalidInput, "no session 's9'"),
        (trial(1, spec=OTHER), ValueError, "of another spec"),
        (trial(1, seconds=float("nan")), ValueError, "no JSON form"),
        (trial(1, provenance={"n": 2**60}), ValueError, "beyond"),
        (trial(1, files={"a.xml": sha256(b"gone")}), ValueError, "is not given"),
        (replace(trial(1), payload=sha256(b"gone")), ValueError, "is not given"),
    ],
)
def test_what_cannot_be_recorded_leaves_nothing(ledger, one, kind, told):
    before = ledger.head()
    with pytest.raises(kind, match=told):
        ledger.record_trial(one, blobs=[payload(1), b"other"], certificate=b"c")
    assert ledger.head() == before
    with pytest.raises(InvalidInput):
        ledger.blob(sha256(b"other"))
    record(ledger, trial(1))
    assert ledger.verify().seq == 2


def test_content_stored_before_need_not_be_given_again(ledger):
    record(ledger, trial(1))
    again = replace(trial(2), payload=trial(1).payload, known=True)
    ledger.record_trial(again, blobs=[])
    assert ledger.trials("s1")[1] == again


def test_bounds_are_recorded_once_a_session(ledger):
    ledger.start("s2", SPEC, "search", {}, Budget())
    assert ledger.record_bound("s1", BOUND, blobs=[b"query"]) is True
    head = ledger.head()
    assert ledger.record_bound("s1", BOUND) is False
    assert ledger.head() == head
    assert ledger.record_bound("s2", BOUND) is True
    better = replace(BOUND, value=Fraction(4, 3))
    assert ledger.record_bound("s1", better) is True
    assert ledger.bounds("s1") == [BOUND, better]
    assert ledger.bounds("s2") == [BOUND]
    assert ledger.blob(sha256(b"query")) == b"query"
    with pytest.raises(InvalidInput, match="no session"):
        ledger.record_bound("s3", BOUND)


def test_certificates_belong_to_trials(ledger):
    record(ledger, trial(1), certificate=b"one")
    record(ledger, trial(2))
    record(ledger, trial(3), certificate=b"three")
    ledger.record_certificate("s1", 1, b"one, signed")
    assert ledger.certificates("s1") == [(1, b"one"), (3, b"three"), (1, b"one, signed")]
    with pytest.raises(InvalidInput, match="has no trial 4"):
        ledger.record_certificate("s1", 4, b"x")


def test_known_answers(ledger):
    artefact = sha256(b"same")
    record(ledger, trial(1, artefact=artefact, verdict=None, decision=None, failure="crashed"))
    assert ledger.known(SPEC.digest, artefact) is None
    unknown = trial(2, artefact=artefact, verdict=verdict(Status.UNKNOWN), decision=REFUSED)
    record(ledger, unknown)
    assert ledger.known(SPEC.digest, artefact) is None
    refuted = trial(3, artefact=artefact, verdict=verdict(Status.REFUTED), decision=REFUSED)
    record(ledger, refuted)
    record(ledger, trial(4, artefact=artefact, known=True))
    assert ledger.known(SPEC.digest, artefact) == refuted
    assert ledger.known(OTHER.digest, artefact) is None
    assert ledger.known(SPEC.digest, sha256(b"else")) is None


def test_answers_and_acceptances_of_every_session_count(ledger):
    ledger.start("s2", SPEC, "search", {}, Budget())
    ledger.start("s3", OTHER, "search", {}, Budget())
    record(ledger, trial(1))
    record(ledger, trial(1, session="s2"))
    record(ledger, trial(2, session="s2", decision=REFUSED))
    record(ledger, trial(1, session="s3", spec=OTHER))
    assert [(t.session, t.number) for t in ledger.accepted(SPEC.digest)] == [("s1", 1), ("s2", 1)]
    assert [(t.session, t.number) for t in ledger.accepted(OTHER.digest)] == [("s3", 1)]
    assert ledger.known(SPEC.digest, trial(1).artefact).session == "s1"


def test_spending_within_one_run(ledger):
    assert ledger.spent("s1") == Spent()
    record(ledger, trial(1, seconds=0.5))
    record(ledger, trial(2, seconds=0.25, usage=Usage(1, 1, None)))
    assert ledger.spent("s1") == Spent(2, 0.75, 17, Fraction(1, 100))
    ledger.end("s1", "attempts", 4.0)
    assert ledger.spent("s1") == Spent(2, 4.0, 17, Fraction(1, 100))
    assert ledger.session("s1").ended.reason == "attempts"
    record(ledger, trial(3, seconds=1.0))
    assert ledger.spent("s1").seconds == 5.0
    assert ledger.session("s1").ended is None  # it runs again
    assert ledger.spent("s9") == Spent()


def test_spending_over_a_killed_run(ledger):
    record(ledger, trial(1, seconds=0.5))  # this run is killed: it never says its end
    with Ledger.open(ledger.path.parent.parent) as resumed:
        record(resumed, trial(2, seconds=1.0))
        assert resumed.spent("s1").seconds == 1.5
        resumed.end("s1", "done", 3.0)
        assert resumed.spent("s1").seconds == 3.5
        resumed.end("s1", "nothing to do", 0.125)  # a run without a trial
        assert resumed.spent("s1").seconds == 3.625
    # Another object, which looked at the account before, follows.
    assert ledger.spent("s1") == Spent(2, 3.625, 30, Fraction(1, 50))


def test_spending_when_another_process_ran_between(ledger):
    record(ledger, trial(1, seconds=0.5))
    ledger.end("s1", "done", 1.0)
    with Ledger.open(ledger.path.parent.parent) as killed:
        record(killed, trial(2, seconds=2.0))
    record(ledger, trial(3, seconds=4.0))
    ledger.end("s1", "done", 8.0)
    assert ledger.spent("s1").seconds == 1.0 + 2.0 + 8.0


def test_the_head_moves_with_each_record(ledger):
    seen = {ledger.head().hash}
    for number in (1, 2):
        record(ledger, trial(number))
        seen.add(ledger.head().hash)
    assert len(seen) == 3
    assert ledger.head().seq == 3


def test_verification_against_a_kept_head(ledger):
    record(ledger, trial(1))
    kept = ledger.head()
    record(ledger, trial(2))
    assert ledger.verify(kept) == ledger.head()
    with pytest.raises(LedgerError, match="it ends at record 3, 9 were expected"):
        ledger.verify(Head(9, kept.hash))
    with pytest.raises(LedgerError, match="record 2 has another hash than expected"):
        ledger.verify(Head(2, sha256(b"")))
    with pytest.raises(LedgerError, match="another project"):
        ledger.verify(Head(0, sha256(b"")))


def test_an_export_can_be_checked_by_anyone(ledger):
    ledger.start("s2", SPEC, "search", {}, Budget())
    record(ledger, trial(1), certificate=b"c")
    record(ledger, trial(1, session="s2"))
    stream = io.StringIO()
    assert ledger.export(None, stream) == 6
    header, *records = map(json.loads, stream.getvalue().splitlines())
    previous = digest({"ledger": "certune", "project": header["project"]})
    for number, line in enumerate(records, 1):
        assert (line["seq"], line["previous"]) == (number, previous)
        content = {name: line[name] for name in ("seq", "session", "kind", "previous")}
        previous = digest({**content, "body": digest(line["body"])})
        assert line["hash"] == previous
    assert header["head"] == {"seq": 5, "hash": previous}
    stream = io.StringIO()
    assert ledger.export("s2", stream) == 3
    kinds = [json.loads(line)["kind"] for line in stream.getvalue().splitlines()]
    assert kinds == ["ledger", "session", "trial"]


def test_two_ledgers_share_no_history(tmp_path):
    with Ledger.open(tmp_path / "a") as one, Ledger.open(tmp_path / "b") as other:
        assert one.project != other.project
        assert one.head().hash != other.head().hash


def test_an_interrupted_transaction_leaves_nothing(ledger, monkeypatch):
    def interrupted(self, session, number, certificate):
        assert self.head().seq == 2  # the trial is written, but not yet for good
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "_issue", interrupted)
        with pytest.raises(KeyboardInterrupt):
            record(ledger, trial(1), certificate=b"c")
    assert ledger.head().seq == 1
    assert ledger.trials("s1") == []
    record(ledger, trial(1))
    assert ledger.verify().seq == 2

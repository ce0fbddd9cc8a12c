"""The ledger against a plain model, and against damaged files."""

import shutil
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from core_strategies import json_values, of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from certune.core.budget import Budget
from certune.core.canonical import sha256
from certune.core.errors import CertuneError, InvalidInput, LedgerBusy
from certune.core.measurement import Bound
from certune.core.spec import Satisfy, TaskSpec
from certune.core.trial import Trial, Usage
from certune.ledger import Ledger


class LedgerMachine(RuleBasedStateMachine):
    """Any order of sessions, trials, bounds, ends and re-openings gives what a dict would."""

    sessions = Bundle("sessions")

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledger = Ledger.open(self.folder)
        self.model = {}
        self.errors = {}  # spec digest → comparisons that error was spent on
        self.records = 0

    def teardown(self):
        self.ledger.close()
        with Ledger.open(self.folder, read_only=True) as ledger:
            assert ledger.verify().seq == self.records
        shutil.rmtree(self.folder)

    @rule(target=sessions, spec=of(TaskSpec), options=st.dictionaries(st.just("a"), json_values))
    def start(self, spec, options):
        name = f"s{len(self.model)}"
        self.ledger.start(name, spec, "agent", options, Budget())
        self.records += 1
        self.model[name] = {"spec": spec, "trials": [], "bounds": [], "seconds": 0.0, "run": 0.0}
        return name

    @rule(name=sessions, drawn=of(Trial), seconds=st.integers(0, 64), certified=st.booleans())
    def record(self, name, drawn, seconds, certified):
        state = self.model[name]
        number = len(state["trials"]) + 1
        content = f"{name} {number}".encode()
        trial = Trial(
            **{
                **vars(drawn),
                "number": number,
                "session": name,
                "spec": state["spec"].digest,
                "payload": sha256(content),
                "files": {"a": sha256(b"a")},
                "seconds": seconds / 8,
            }
        )
        self.ledger.record_trial(
            trial, blobs=[content, b"a"], certificate=b"c" if certified else None
        )
        self.records += 1 + certified
        state["trials"].append(trial)
        state["run"] += seconds / 8
        with pytest.raises(LedgerBusy):
            self.ledger.record_trial(trial, blobs=[])

    @rule(name=sessions, bound=of(Bound))
    def bound(self, name, bound):
        known = self.model[name]["bounds"]
        written = [repr(item) for item in known]
        fresh = self.ledger.record_bound(name, bound)
        assert fresh or repr(bound) in written or bound in known
        if fresh:
            known.append(bound)
            self.records += 1

    @rule(name=sessions)
    def spend(self, name):
        spec = self.model[name]["spec"].digest
        number = self.errors.get(spec, 0) + 1
        spent = self.ledger.spend_error(name, sha256(b"candidate"), total=0.02)
        assert (spent.spec, spent.number, spent.total) == (spec, number, 0.02)
        self.errors[spec] = number
        self.records += 1

    @rule(name=sessions, seconds=st.integers(0, 640))
    def end(self, name, seconds):
        self.ledger.end(name, "done", seconds / 8)
        self.records += 1
        state = self.model[name]
        state["seconds"] += seconds / 8
        state["run"] = 0.0

    @rule()
    def killed_and_opened_again(self):
        self.ledger.close()
        self.ledger = Ledger.open(self.folder, create=False)
        for state in self.model.values():  # what a killed run took is what its trials took
            state["seconds"] += state["run"]
            state["run"] = 0.0

    @invariant()
    def same(self):
        assert [record.id for record in self.ledger.sessions()] == list(self.model)
        for name, state in self.model.items():
            assert self.ledger.session(name).spec == state["spec"]
            assert self.ledger.trials(name) == state["trials"]
            assert self.ledger.bounds(name) == state["bounds"]
            spent = self.ledger.spent(name)
            assert spent.attempts == len(state["trials"])
            assert spent.seconds == state["seconds"] + state["run"]
            usage = [trial.usage for trial in state["trials"]]
            assert spent.money == sum((u.money or Fraction(0) for u in usage), Fraction(0))
        for spec, count in self.errors.items():
            spent = self.ledger.errors(spec)
            assert [one.number for one in spent] == list(range(1, count + 1))
            assert sum(one.error for one in spent) < 0.02
        assert self.ledger.head().seq == self.records


LedgerMachine.TestCase.settings = settings(deadline=None, max_examples=12, stateful_step_count=15)
TestLedgerMachine = LedgerMachine.TestCase


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The bytes of a small ledger and what it holds."""
    folder = tmp_path_factory.mktemp("whole")
    spec = TaskSpec("a/b", 1, {}, Satisfy())
    with Ledger.open(folder) as ledger:
        ledger.start("s1", spec, "agent", {}, Budget())
        for number in range(1, 8):
            content = b"%d" % number * 700
            trial = Trial(
                number, "s1", "x", spec.digest, "f", sha256(content), "now", 0.5,
                usage=Usage(1, 2, Fraction(1, 3)), provenance={"n": number},
            )  # fmt: skip
            ledger.record_trial(trial, blobs=[content], certificate=b"c" * number)
        held = ledger.trials("s1"), ledger.certificates("s1"), ledger.head()
    return ledger.path.read_bytes(), held


def look(folder):
    with Ledger.open(folder, create=False, read_only=True) as ledger:
        ledger.verify()
        return ledger.trials("s1"), ledger.certificates("s1"), ledger.head()


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_damaged_file_is_told_or_reads_the_same(image, data):
    """Flipped bytes: what passes verification reads as before (the bytes were unused ones)."""
    whole, held = image
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(whole) - 1))
        changed[position] ^= data.draw(st.integers(1, 255))
    judge(bytes(changed), held)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_torn_file_is_told_or_reads_the_same(image, data):
    """Pages zeroed, exchanged, repeated; the end cut off or more appended."""
    whole, held = image
    pages = [whole[at : at + 4096] for at in range(0, len(whole), 4096)]
    some = st.integers(0, len(pages) - 1)
    pages[data.draw(some)] = data.draw(st.sampled_from([b"\0" * 4096, *pages]))
    changed = b"".join(pages)
    changed = changed[: data.draw(st.integers(0, len(changed)) | st.just(len(changed)))]
    judge(changed + data.draw(st.binary(max_size=20)), held)


def judge(changed, held):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".certune" / "ledger.sqlite3"
        path.parent.mkdir()
        path.write_bytes(changed)
        try:
            found = look(Path(folder))
        except CertuneError as error:
            found, told = held, str(error)
        else:
            told = str(path)
        assert found == held
        assert str(path) in told
        assert path.read_bytes() == changed


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=70))
def test_any_name_finds_a_session_or_is_refused(image, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".certune" / "ledger.sqlite3"
        path.parent.mkdir()
        path.write_bytes(image[0])
        with Ledger.open(Path(folder), read_only=True) as ledger:
            try:
                assert ledger.session(name).id == "s1"
            except InvalidInput:
                assert name not in ("s1", "s", "last")

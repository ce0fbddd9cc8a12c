"""The DSPy program's types and files, the worth of verdicts, and the bridge between threads."""

import json
import pickle
import threading
from fractions import Fraction

import dspy
import pytest
from mcp_toy import FORMAT, SCHEMA, TERMS, ToyTask, spec

from certune.agents.dspy_bridge import Abandoned, Bridge
from certune.agents.dspy_program import (
    PREDICTORS,
    Proposer,
    candidate_type,
    payload_of,
    read,
    restore_into,
    save,
)
from certune.agents.verdicts import feedback, score, score_of
from certune.core import ConfigurationError, PayloadFormat, Proposal
from certune.core.agent import StartingPoint
from certune.core.candidate import Payload
from certune.ledger import Ledger
from certune.session import Session

TYPED = PayloadFormat(FORMAT, "numbers", SCHEMA)
SOURCE = PayloadFormat("program", "source text")


# -- types -------------------------------------------------------------------------------------


def test_a_format_with_a_schema_types_its_candidate():
    program = Proposer(TYPED)
    field = program.propose.signature.output_fields["proposal"]
    from pydantic import TypeAdapter

    schema = TypeAdapter(field.annotation).json_schema()
    assert schema["required"] == ["xs"]
    assert schema["additionalProperties"] is False


def test_a_format_without_one_is_text():
    assert candidate_type(SOURCE) is str
    assert Proposer(SOURCE).repair.signature.output_fields["proposal"].annotation is str


def test_answers_become_payloads():
    assert payload_of({"xs": [6, 6]}, TYPED) == Payload(FORMAT, b'{"xs":[6,6]}')
    assert payload_of("def f(): ...", SOURCE) == Payload("program", b"def f(): ...")
    assert payload_of([1], TYPED) == Payload(FORMAT, b"[1]")


@pytest.mark.parametrize("value", [None, float("nan"), {"x": float("inf")}, {"xs": {1}}, object()])
def test_what_has_no_form_is_no_payload(value):
    assert payload_of(value, TYPED) is None


def test_what_is_nested_without_end_is_no_payload():
    value: list = []
    for _ in range(5000):
        value = [value]
    assert payload_of(value, TYPED) is None


# -- files -------------------------------------------------------------------------------------


def test_a_program_survives_its_file(tmp_path):
    program = Proposer(TYPED)
    program.propose.signature = program.propose.signature.with_instructions("Look at the sum.")
    program.repair.demos = [dspy.Example(task="t", proposal='{"xs": [12]}')]
    path = tmp_path / "program.json"
    save(program, path)
    state, digest = read(path)
    again = Proposer(TYPED)
    restore_into(again, state)
    assert again.propose.signature.instructions == "Look at the sum."
    assert again.repair.demos[0].task == "t"
    assert digest.startswith("sha256:")
    assert [p.name for p in tmp_path.iterdir()] == ["program.json"]
    assert set(json.loads(path.read_text())) == {*PREDICTORS, "metadata"}


class Trap:
    fired = False

    def __reduce__(self):
        return (setattr, (Trap, "fired", True))


def _state(**changes):
    one = {"signature": {"instructions": "x", "fields": []}, "demos": [], "lm": None}
    return {name: {**one, **changes} for name in PREDICTORS}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no program"),
        (b"nonsense", "no program"),
        (b"\xff\xfe", "UTF-8"),
        (b"[]", "not an object"),
        (b"{}", "no instructions"),
        (pickle.dumps(Trap()), "no program"),
        (b"[" * 100000, "deep"),
        (json.dumps(_state(lm={"model": "openai/x", "api_base": "http://evil"})), "model of its"),
        (json.dumps(_state(lm={"_dspy_lm_class": "os.system"})), "model of its own"),
        (json.dumps(_state(signature={"instructions": 3})), "no instructions"),
        (json.dumps(_state(demos=["x"])), "demos"),
        (json.dumps({**_state(), "extra": {}}), "unknown member 'extra'"),
        (json.dumps({**_state(), "dependency": "\ud800"}), "surrogate"),
        (b'{"propose": {}, "propose": {}}', "twice"),
        (b" " * (4 * 2**20 + 1), "limit"),
    ],
)
def test_a_file_that_is_no_program_is_refused(tmp_path, data, told):
    path = tmp_path / "program.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert not Trap.fired


def test_a_folder_is_no_program(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path)


# -- what verdicts are worth -------------------------------------------------------------------


@pytest.fixture
def session(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        yield Session.start(ledger, ToyTask(spec(12)), agent="dspy")


def submit(session, text):
    return session.submit(Proposal(Payload(FORMAT, text.encode())))


def test_scores_follow_the_verdicts(session):
    worth = {
        text: score_of(submit(session, text), session.ask())
        for text in (
            "nonsense",
            '{"xs":[0,5]}',
            '{"xs":[6,7]}',
            '{"xs":[1,1,1,1,1,1,1,1,1,1,1,1]}',
            '{"xs":[4,4,4]}',
            '{"xs":[6,6]}',
            '{"xs":[12]}',
        )
    }
    values = list(worth.values())
    assert values == sorted(values)
    assert values[0] == 0
    assert values[1] == pytest.approx(0.1)
    assert values[2] == pytest.approx(0.25)
    assert values[3] == pytest.approx(0.5)
    assert values[4] == pytest.approx(0.5 + 0.5 * 9 / 11)
    assert values[-1] == 1


def test_a_score_does_not_depend_on_what_was_accepted_before(session):
    first = score_of(submit(session, '{"xs":[6,6]}'), session.ask())
    again = submit(session, '{"xs":[5,7]}')
    assert not again.accepted
    assert score_of(again, session.ask()) == first


def test_without_a_bound_twice_as_good_is_half_the_way(session):
    trial = submit(session, '{"xs":[2,2,2,2,2,2]}')
    start = StartingPoint("ones", Payload(FORMAT, b""), {"terms": Fraction(12)})
    assert score(trial, (TERMS,), (start,), ()) == pytest.approx(0.75)


def test_feedback_is_the_verifiers_own_words(session):
    told = feedback(submit(session, '{"xs":[0,5]}'), session.ask())
    assert "positive (refuted)" in told
    assert "counterexample: xs[0] is 0" in told
    assert 'data: {"sum": 5, "wanted": 12}' in told
    assert "what mends it: change one number by the difference" in told
    assert "terms = 2" in feedback(submit(session, '{"xs":[6,6]}'), session.ask())


# -- the bridge --------------------------------------------------------------------------------


def test_the_owner_answers_in_its_own_thread():
    seen = []

    def program(ask):
        seen.extend(ask(number) for number in range(3))

    bridge = Bridge(program)
    threads = set()
    for question in bridge.questions():
        threads.add(threading.get_ident())
        question.answer(question.asked * 10)
    assert seen == [0, 10, 20]
    assert threads == {threading.get_ident()}
    assert bridge.failure is None


def test_what_ends_the_program_is_carried_over():
    def program(ask):
        ask(1)
        raise ValueError("broken")

    bridge = Bridge(program)
    for question in bridge.questions():
        question.answer(1)
    assert isinstance(bridge.failure, ValueError)


def test_an_abandoned_program_ends_past_its_handlers():
    ended = threading.Event()

    def program(ask):
        try:
            while True:
                try:
                    ask(1)
                except Exception:  # noqa: BLE001 - as optimizers do
                    continue
        finally:
            ended.set()

    bridge = Bridge(program)
    for _ in bridge.questions():
        bridge.close()
        break
    assert ended.wait(5)
    bridge._thread.join(5)
    assert isinstance(bridge.failure, Abandoned)

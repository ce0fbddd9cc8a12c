"""Whatever a model or its server sends: found, or refused, and never a traceback."""

import contextlib
import json
import time
from types import SimpleNamespace

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp_toy import ToyTask, spec

from certune.agents.extract import json_object, source
from certune.agents.faults import Fault, from_status, retry_after, said
from certune.agents.model import payload_of
from certune.agents.mutate import mutated
from certune.agents.prompt import render, repair
from certune.agents.schemas import restore, strict
from certune.agents.tools import argument
from certune.agents.wire import Limits, _Reader
from certune.core import Trial
from certune.core.obligation import invalid
from certune.core.trial import Decision
from certune.tasks.collective.schema import SCHEMA

FEW = settings(deadline=None, max_examples=120)
PROSE = st.text(st.characters(exclude_characters='{}"`~<', exclude_categories=["Cs"]), max_size=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=6), VALUES, max_size=5)


@FEW
@given(OBJECTS, PROSE, PROSE, st.sampled_from(["{}", "```json\n{}\n```", "\n{}\n", "~~~\n{}\n~~~"]))
def test_an_object_in_prose_is_found(value, before, after, wrap):
    text = f"{before}\n{wrap.format(json.dumps(value))}\n{after}"
    assert json.loads(json_object(text)) == value


@FEW
@given(st.text(max_size=300))
def test_any_text_becomes_a_payload_of_bytes(text):
    brief = ToyTask(spec(12)).brief()
    payload = payload_of(text, brief.formats[0])
    assert isinstance(payload.data, bytes)
    source(text)
    argument(text)


SENDS = st.lists(st.lists(st.integers(0, 7), min_size=3, max_size=3), max_size=3)
STEPS = st.lists(
    st.fixed_dictionaries({}, optional={"copy": SENDS, "reduce": SENDS}).filter(bool),
    min_size=1,
    max_size=3,
)
SCHEDULES = st.fixed_dictionaries(
    {
        "format": st.just(SCHEMA["properties"]["format"]["const"]),
        "collective": st.just("allgather"),
        "ranks": st.integers(2, 9),
        "pieces": st.integers(1, 9),
        "steps": STEPS,
    },
    optional={"root": st.integers(0, 8)},
)


@FEW
@given(SCHEDULES)
def test_what_the_family_takes_the_strict_schema_takes_and_back(schedule):
    jsonschema.validate(schedule, dict(SCHEMA))
    filled = {"root": None, **schedule}
    filled["steps"] = [{"copy": None, "reduce": None, **step} for step in schedule["steps"]]
    jsonschema.validate(filled, strict(SCHEMA))
    assert json.loads(restore(json.dumps(filled), SCHEMA)) == schedule


def limits():
    return Limits(time.monotonic() + 60, 5000, lambda: False, lambda _: None)


DELTA = st.fixed_dictionaries(
    {},
    optional={
        "content": VALUES,
        "reasoning": VALUES,
        "reasoning_content": VALUES,
        "refusal": VALUES,
        "tool_calls": VALUES
        | st.lists(st.fixed_dictionaries({"index": VALUES, "id": VALUES, "function": OBJECTS})),
    },
)
CHOICE = st.fixed_dictionaries({"delta": DELTA | VALUES, "finish_reason": VALUES})
EVENT = st.fixed_dictionaries(
    {"choices": st.lists(CHOICE | VALUES, max_size=2) | VALUES},
    optional={"usage": OBJECTS | VALUES, "model": VALUES, "error": VALUES},
)
LINES = st.one_of(
    EVENT.map(lambda e: b"data: " + json.dumps(e).encode()),
    st.binary(max_size=40),
    st.just(b"data: [DONE]"),
    st.just(b": comment"),
)


@FEW
@given(st.lists(LINES, max_size=8), st.integers(1, 50), st.booleans())
def test_any_stream_is_an_answer_or_a_fault(lines, size, streamed):
    data = b"\n\n".join(lines)
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    reader = _Reader(limits())
    with contextlib.suppress(Fault):
        reader.read(iter(chunks), "text/event-stream" if streamed else "application/json")
    answer = reader.answer
    assert isinstance(answer.text, str)
    for count in (answer.tokens_in, answer.tokens_out):
        assert count is None or 0 <= count <= 10**9
    assert all(isinstance(call.arguments, str) for call in answer.calls)


@FEW
@given(st.integers(400, 599), VALUES, st.text(max_size=30), st.text(max_size=30))
def test_any_refusal_is_a_fault_in_words_on_one_line(status, body, after, milliseconds):
    headers = {"retry-after": after, "retry-after-ms": milliseconds}
    fault = from_status(status, headers, body)
    assert "\n" not in fault.message
    assert len(fault.message) < 400
    assert said(body).isprintable() or not said(body)
    wait = retry_after(headers)
    assert wait is None or wait >= 0


@FEW
@given(st.binary(max_size=300), st.text(max_size=200))
def test_any_attempt_can_be_shown(data, why):
    """Prompts hold what models sent: whatever it is, it is shown in a fence or left out."""
    trial = Trial(1, "s", "a", "d", "f", "p", "now", 0.0, verdict=invalid(why),
                  decision=Decision("invalid", why), provenance={"note": why})  # fmt: skip
    history = SimpleNamespace(
        trials=[trial], bounds=(), payload=lambda _: SimpleNamespace(data=data)
    )
    brief = ToyTask(spec(12)).brief()
    prompt = render(brief, history)
    assert all(c.isprintable() or c in "\n\t" for c in prompt.user)
    assert all(c.isprintable() or c in "\n\t" for c in repair(trial, brief.repairs))


@FEW
@given(OBJECTS, st.randoms(use_true_random=False))
def test_any_data_can_be_mutated_and_stays_data(value, draw):
    before = json.dumps(value)
    json.dumps(mutated(value, draw))
    assert json.dumps(value) == before

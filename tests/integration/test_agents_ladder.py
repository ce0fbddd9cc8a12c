"""The ladder of answer formats, and what else servers refuse: learned once, recorded, kept."""

import json

import pytest
from model_bench import Bench, options
from model_server import Fail, ModelServer, Raw, Say

from certune.agents.openai import OpenAI


def counting(refuse):
    """A script that refuses what `refuse` says and otherwise sends a new candidate each time."""
    made = iter(range(1, 100))

    def script(call):
        fault = refuse(call)
        if fault is not None:
            return fault
        return Say(json.dumps({"xs": [next(made), 1]}))

    return script


def drive(tmp_path, refuse, attempts=3, **more):
    bench = Bench(tmp_path)
    with ModelServer(counting(refuse)) as server:
        bench.ended = bench.run(OpenAI, "openai", options(server, **more), attempts=attempts)
        bench.calls = server.calls
    return bench


def rungs(bench):
    return [trial.provenance["rung"] for trial in bench.trials]


def test_a_server_that_enforces_schemas_is_asked_so(tmp_path):
    bench = drive(tmp_path, lambda call: None)
    assert rungs(bench) == ["json_schema"] * 3
    assert len(bench.calls) == 3


def test_a_server_that_refuses_schemas_is_asked_for_json(tmp_path):
    refuse = {"json_schema": Fail(400, "response_format json_schema is not supported")}
    bench = drive(tmp_path, lambda call: refuse.get(call.rung))
    assert rungs(bench) == ["json_object"] * 3
    assert [call.rung for call in bench.calls] == ["json_schema", *["json_object"] * 3]


@pytest.mark.parametrize("status", [400, 415, 422, 501])
def test_a_server_that_refuses_every_format_is_asked_for_text(tmp_path, status):
    """As LM Studio does with json_object, and older servers with both."""

    def refuse(call):
        return Fail(status, "no") if call.rung != "text" else None

    bench = drive(tmp_path, refuse)
    assert rungs(bench) == ["text"] * 3
    assert len(bench.calls) == 5


def test_a_server_that_answers_500_to_schemas_is_found_out(tmp_path):
    """As llama-cpp-python's server does."""
    bench = drive(tmp_path, lambda call: Fail(500) if call.rung == "json_schema" else None)
    assert rungs(bench) == ["json_object"] * 3
    assert [call.rung for call in bench.calls[:3]] == ["json_schema", "json_schema", "json_object"]


def test_a_passing_500_does_not_loosen_the_format(tmp_path):
    bench = drive(tmp_path, lambda call: Fail(500) if call.number in (0, 2) else None)
    assert rungs(bench) == ["json_schema"] * 3


def test_an_outage_of_500s_does_not_loosen_the_format(tmp_path):
    bench = drive(tmp_path, lambda call: Fail(500) if call.number < 6 else None)
    assert rungs(bench) == ["json_schema"] * 3


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("stream_options", "Unrecognized request argument supplied: stream_options"),
        ("seed", "seed is not permitted"),
        ("temperature", "Unsupported value: 'temperature' does not support 0.7 with this model"),
        ("reasoning_effort", "Unrecognized request argument supplied: reasoning_effort"),
    ],
)
def test_a_member_that_a_server_refuses_is_left_out(tmp_path, member, message):
    bench = drive(
        tmp_path,
        lambda call: Fail(400, message) if member in call.body else None,
        temperature="0.7",
        reasoning_effort="low",
    )
    assert rungs(bench) == ["json_schema"] * 3
    assert [member in call.body for call in bench.calls] == [True, False, False, False]


def test_max_tokens_gives_way_to_max_completion_tokens(tmp_path):
    told = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    bench = drive(tmp_path, lambda call: Fail(400, told) if "max_tokens" in call.body else None)
    assert rungs(bench) == ["json_schema"] * 3
    assert bench.calls[-1].body["max_completion_tokens"] == 1000


def test_a_server_that_names_nothing_is_asked_for_the_least(tmp_path):
    def refuse(call):
        extras = {"stream_options", "seed", "response_format"} & set(call.body)
        return Fail(400, "bad request") if extras else None

    bench = drive(tmp_path, refuse)
    assert rungs(bench) == ["text"] * 3
    assert all("estimated" in trial.provenance for trial in bench.trials)  # no usage was told


def test_a_schema_that_is_not_enforced_is_validated_by_the_verdict(tmp_path):
    """As Ollama's cloud does: it takes the schema and ignores it."""
    bench = Bench(tmp_path)
    script = [Say("As you wish: {'xs': [5]}"), Say('```json\n{"xs": [5, 7]}\n```')]
    with ModelServer(script) as server:
        bench.run(OpenAI, "openai", options(server), attempts=2)
    assert bench.reasons == ["invalid", "accepted"]


def test_a_server_that_does_not_stream_is_read_whole(tmp_path):
    def script(call):
        message = {"role": "assistant", "content": '{"xs":[5,7]}'}
        body = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 8}}  # fmt: skip
        return Raw(json.dumps(body).encode(), kind="application/json", end="end")

    bench = Bench(tmp_path)
    with ModelServer(script) as server:
        bench.run(OpenAI, "openai", options(server), attempts=1)
    assert bench.reasons == ["accepted"]
    assert bench.trials[0].usage.tokens_in == 7


def test_a_prompt_too_long_for_the_model_is_shortened(tmp_path):
    def refuse(call):
        told = "This model's maximum context length is 1500 tokens"
        return Fail(400, told) if len(call.prompt) > 4000 else None

    bench = Bench(tmp_path)
    bad = iter(range(1, 100))

    def script(call):
        return refuse(call) or Say(json.dumps({"xs": [next(bad)] * 600}))

    with ModelServer(script) as server:
        bench.ended = bench.run(OpenAI, "openai", options(server), attempts=14)
    assert bench.ended.stopped == "budget"
    assert bench.reasons == ["refuted"] * 14
    assert any("too long" in notice for notice in bench.notices)


def test_a_mode_of_the_users_is_not_left(tmp_path):
    bench = drive(tmp_path, lambda call: None, mode="json_object")
    assert {call.rung for call in bench.calls} == {"json_object"}


def test_a_resumed_session_begins_with_the_rung_that_worked(tmp_path):
    bench = Bench(tmp_path)

    def refuse(call):
        return Fail(400, "json_schema?") if call.rung == "json_schema" else None

    with ModelServer(counting(refuse)) as server:
        bench.run(OpenAI, "openai", options(server), attempts=2)
        before = len(server.calls)
        bench.resume(OpenAI, bench.session.identity, attempts=4)
        assert [call.rung for call in server.calls[before:]] == ["json_object"] * 2


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_no_payload_but_where_nothing_else_came(tmp_path, field):
    thought = '{"xs":[9,9]} is wrong'
    script = [
        Say('{"xs":[5,7]}', reasoning=thought, reasoning_field=field),
        Say("", reasoning='so {"xs":[12]}', reasoning_field=field),
    ]
    bench = Bench(tmp_path)
    with ModelServer(script) as server:
        bench.run(OpenAI, "openai", options(server), attempts=2)
    assert bench.payloads == [b'{"xs":[5,7]}', b'{"xs":[12]}']
    assert "reasoning" in bench.trials[1].provenance["note"]

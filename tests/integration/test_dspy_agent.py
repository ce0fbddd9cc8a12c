"""The DSPy agent against a server that speaks the OpenAI protocol."""

import json
import subprocess
import sys
import threading

import pytest
from dspy_scripts import Script, step
from model_bench import Bench, environment, options
from model_server import Fail, ModelServer, Say

from certune.agents.dspy import DSPy
from certune.core import ConfigurationError
from certune.core.agent import AgentSetup


def drive(folder, script, more=None, key=None, **budget):
    bench = Bench(folder)
    with ModelServer(script) as server:
        bench.server = server
        given = options(server, **(more or {}))
        bench.ended = bench.run(DSPy, "dspy", given, key=key, **budget)
    return bench


def test_it_proposes_reflects_and_repairs(tmp_path):
    script = Script(propose=[[6, 7], [12]], repair=[[6, 6]])
    bench = drive(tmp_path, script, attempts=3)
    assert bench.reasons == ["refuted", "accepted", "accepted"]
    assert bench.payloads == [b'{"xs":[6,7]}', b'{"xs":[6,6]}', b'{"xs":[12]}']
    assert script.asked == ["propose", "reflect", "repair", "propose"]
    first, second, third = bench.trials
    assert first.provenance["turn"] == "propose"
    assert second.provenance["turn"] == "repair"
    assert second.provenance["repairs"] == 1
    assert {t.provenance["model"] for t in bench.trials} == {"toy-model"}
    assert {t.provenance["rung"] for t in bench.trials} == {"json_schema"}
    assert [t.usage.tokens_in for t in bench.trials] == [100, 200, 100]
    assert [t.usage.tokens_out for t in bench.trials] == [50, 100, 50]
    assert third.usage.money is None


def test_counterexample_and_advice_reach_the_steps(tmp_path):
    script = Script(propose=[[6, 7]], repair=[[6, 6]])
    bench = drive(tmp_path, script, attempts=2)
    propose, reflect, repair = bench.server.calls
    assert "add up to 12" in propose.prompt
    assert "the baseline ones" in propose.prompt
    for call in (reflect, repair):
        assert "the sum is 13, not 12" in call.prompt
        assert '"wanted": 12' in call.prompt
        assert "change one number by the difference" in call.prompt
        assert '{"xs":[6,7]}' in call.prompt
    assert "the sum is off by one" in repair.prompt


def test_servers_are_asked_to_enforce_the_schema(tmp_path):
    bench = drive(tmp_path, Script(propose=[[6, 6]]), attempts=1)
    (call,) = bench.server.calls
    asked = call.body["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["strict"] is True
    schema = asked["json_schema"]["schema"]
    assert schema["required"] == ["plan", "proposal"]
    assert schema["additionalProperties"] is False
    proposal = schema["properties"]["proposal"]
    assert proposal["required"] == ["xs"]
    assert proposal["additionalProperties"] is False
    assert proposal["properties"]["xs"]["items"]["type"] == "integer"


@pytest.mark.parametrize("refused", [("json_schema",), ("json_schema", "json_object")])
def test_the_ladder_is_the_shared_one(tmp_path, refused):
    script = Script(propose=[[6, 6], [5, 7]])

    def answer(call):
        if call.rung in refused:
            return Fail(400, f"response_format {call.rung} is not supported")
        return script(call)

    bench = drive(tmp_path, answer, attempts=2)
    assert bench.reasons == ["accepted", "not-better"]
    rung = "text" if len(refused) == 2 else "json_object"
    assert {t.provenance["rung"] for t in bench.trials} == {rung}
    assert len(bench.server.calls) == 2 + len(refused)


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot do that.",
        "",
        "[1, 2, 3]",
        '{"plan": "x"}',
        '{"plan": "x", "proposal": null}',
        '{"plan": "x", "proposal": {"xs": "twelve"}}',
        '{"plan": "x", "proposal": {"xs": [NaN]}}',
        '{"plan": "x", "proposal": {"xs": [1e999]}}',
        '{"plan": "x", "proposal": {"xs": [' + "9" * 400 + "]}}",
        '{"plan": "x", "proposal": ' + '{"a":' * 200 + "1" + "}" * 200 + "}",
        "\ud800",
        '{"plan": "x", "proposal": {"xs": [6, 7], "accepted": true}}',
    ],
)
def test_whatever_comes_back_ends_as_a_verdict(tmp_path, answer):
    bench = drive(tmp_path, [Say(answer)], attempts=1)
    (trial,) = bench.trials
    assert trial.decision.reason in ("invalid", "refuted")
    assert bench.ended.stopped == "budget"
    assert trial.usage.tokens_in == 100


def test_prose_around_json_is_read(tmp_path):
    answer = 'Sure!\n```json\n{"plan": "x", "proposal": {"xs": [6, 6]}}\n```\nDone.'
    bench = drive(tmp_path, [Say(answer)], attempts=1)
    assert bench.reasons == ["accepted"]


def test_repairs_end_and_the_next_proposal_begins(tmp_path):
    script = Script(propose=[[6, 7]], repair=[[6, 8], [6, 9], [6, 10]])
    bench = drive(tmp_path, script, {"repairs": 2, "reflect": "false"}, attempts=6)
    assert script.asked == ["propose", "repair", "repair"] * 2
    assert [t.provenance.get("mended") for t in bench.trials] == [None, 1, 2] * 2


def test_without_repair_it_only_proposes(tmp_path):
    script = Script(propose=[[6, 7]])
    drive(tmp_path, script, {"repair": "false"}, attempts=3)
    assert script.asked == ["propose"] * 3


def test_best_of_n_takes_the_verdict_as_reward(tmp_path, capsys):
    script = Script(propose=[[1, 2], [5, 8], [3, 9], [12]])
    bench = drive(tmp_path, script, {"samples": 4}, attempts=4)
    assert bench.reasons == ["refuted", "refuted", "accepted", "accepted"]
    assert [t.provenance["sample"] for t in bench.trials] == [0, 1, 2, 0]
    assert [t.provenance["round"] for t in bench.trials] == [0, 0, 0, 3]
    assert len({t.provenance["seed"] for t in bench.trials}) == 4
    assert capsys.readouterr().out == ""


def test_when_no_sample_is_correct_the_best_is_mended(tmp_path, capsys):
    script = Script(propose=[[-1, 2], "nonsense", [5, 8]], repair=[[5, 7]])
    bench = drive(tmp_path, script, {"samples": 3}, attempts=4)
    assert bench.reasons == ["refuted", "invalid", "refuted", "accepted"]
    assert bench.trials[3].provenance["repairs"] == 3
    assert capsys.readouterr().out == ""


def test_a_budget_of_tokens_is_not_overrun(tmp_path):
    bench = drive(
        tmp_path, Script(propose=[[6, 7]], repair=[[6, 8]]), {"max_tokens": 60}, tokens=3000
    )
    assert bench.ended.stopped == "budget"
    assert 0 < bench.spent.tokens <= 3000
    paid = 150 * len(bench.server.calls)
    assert bench.spent.tokens == paid


@pytest.mark.parametrize("samples", [1, 3])
def test_a_permanent_fault_stops_with_the_reason(tmp_path, samples):
    bench = drive(
        tmp_path, [Fail(401, "bad key")], {"samples": samples}, key="sk-planted", attempts=5
    )
    assert bench.ended.stopped == "trouble"
    assert "OPENAI_API_KEY" in bench.ended.detail
    assert "sk-planted" not in str(bench.ended)
    assert bench.trials == []
    assert len(bench.server.calls) == 1


@pytest.mark.parametrize("samples", [1, 3])
def test_a_fault_that_passes_is_waited_out(tmp_path, samples):
    script = Script(propose=[[6, 6], [5, 7], [4, 8], [3, 9]])

    def answer(call):
        return Fail(503) if call.number % 2 == 0 else script(call)

    bench = drive(tmp_path, answer, {"samples": samples}, attempts=4)
    assert bench.reasons == ["accepted"] + ["not-better"] * 3


def test_a_session_is_continued_from_its_record(tmp_path):
    script = Script(propose=[[6, 7], [12]], repair=[[6, 6]])
    bench = Bench(tmp_path)
    with ModelServer(script) as server:
        bench.run(DSPy, "dspy", options(server), attempts=1)
        assert bench.reasons == ["refuted"]
        bench.resume(DSPy, bench.session.identity, attempts=3)
    assert script.asked == ["propose", "reflect", "repair", "propose"]
    assert bench.reasons == ["refuted", "accepted", "accepted"]


def test_stopping_in_the_middle_of_a_call_ends_soon(tmp_path):
    bench = Bench(tmp_path)
    begun = threading.Event()

    def answer(call):
        begun.set()
        return Say('{"plan": "x"', pieces=1, pause=0.5)

    with ModelServer(answer) as server, bench.start("dspy", options(server)) as session:
        threading.Thread(target=lambda: begun.wait(10) and session.stop()).start()
        run = bench.go(session, DSPy)
    assert run.stopped == "asked"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "needs model"),
        ({"model": "m", "tries": "2"}, "calls no tools"),
        ({"model": "m", "program": "missing.json"}, "missing.json"),
        ({"model": "m", "programm": "x"}, "did you mean 'program'?"),
        ({"model": "m", "repairs": "many"}, "whole number"),
        ({"model": "m", "api_key": "sk-1"}, "api_key_env"),
    ],
)
def test_wrong_options_are_said(given, told):
    given = {"base_url": "http://127.0.0.1:1/v1", **given}
    with environment(), pytest.raises(ConfigurationError) as caught:
        DSPy(AgentSetup(given, lambda: iter(())))
    assert told in str(caught.value)


@pytest.mark.slow
def test_nothing_is_fetched_imported_early_or_written(tmp_path):
    """Importing the agent loads no DSPy; running it loads no LiteLLM, opens no other socket."""
    code = """
import json, os, socket, sys
from pathlib import Path
import certune.agents.dspy
assert "dspy" not in sys.modules, "dspy is imported with the agent's module"
import certune.agents.dspy_program
assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
opened = []
connect = socket.socket.connect
def watched(self, address):
    opened.append(address)
    return connect(self, address)
socket.socket.connect = watched
from dspy_scripts import Script
from model_bench import Bench, options
from model_server import ModelServer
bench = Bench(Path(sys.argv[1]))
with ModelServer(Script(propose=[[6, 6]])) as server:
    bench.run(certune.agents.dspy.DSPy, "dspy", options(server), attempts=1)
    port = server.http.server_address[1]
assert bench.reasons == ["accepted"]
assert opened and all(a == ("127.0.0.1", port) for a in opened), opened
assert "litellm" not in sys.modules
import dspy
assert dspy.settings.lm is None, "configured globally"
print("ok")
"""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "project")],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": sys.path[0] + ":tests"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == b"ok\n", done.stderr.decode()
    assert list(home.rglob("*")) == []


def test_steps_are_told_apart_by_the_script(tmp_path):
    """The script's own reading of prompts is what the other tests stand on."""
    seen = []

    def answer(call):
        seen.append((step(call), sorted(_properties(call))))
        return Script(propose=[[6, 7]], repair=[[6, 6]])(call)

    drive(tmp_path, answer, attempts=2)
    assert seen == [
        ("propose", ["plan", "proposal"]),
        ("reflect", ["diagnosis"]),
        ("repair", ["proposal"]),
    ]


def _properties(call):
    return json.loads(json.dumps(call.body["response_format"]))["json_schema"]["schema"][
        "properties"
    ]

"""Tool calls within a turn, and the agent that asks people."""

import json
import sys
import threading
import time

import pytest
from model_bench import Bench, options
from model_server import Fail, ModelServer, Say

from certune.agents.ask import Ask
from certune.agents.openai import OpenAI
from certune.core import ConfigurationError


def call(number, *candidates):
    made = tuple(
        (f"c{number}-{i}", "try_candidate", json.dumps({"candidate": c}))
        for i, c in enumerate(candidates)
    )
    return Say("", finish="tool_calls", calls=made)


def drive(tmp_path, script, attempts, **more):
    bench = Bench(tmp_path)
    with ModelServer(script) as server:
        bench.ended = bench.run(OpenAI, "openai", options(server, **more), attempts=attempts)
        bench.calls = server.calls
    return bench


def test_a_model_tries_and_reads_the_verdict_before_it_answers(tmp_path):
    script = [call(0, '{"xs":[6,7]}'), call(1, '{"xs":[4,4,4]}'), Say('{"xs":[6,6]}')]
    bench = drive(tmp_path, script, attempts=3, tries=3)
    assert bench.reasons == ["refuted", "accepted", "accepted"]
    assert [t.provenance["turn"] for t in bench.trials] == ["tool", "tool", "first"]
    told = bench.calls[1].body["messages"][-1]
    assert told["role"] == "tool"
    assert told["tool_call_id"] == "c0-0"
    assert "the sum is 13, not 12" in told["content"]
    assert "change one number by the difference" in told["content"]  # the family's repair
    assert "terms = 3" in bench.calls[2].body["messages"][-1]["content"]
    assert bench.spent.tokens == 450


def test_several_calls_at_once_are_judged_one_by_one(tmp_path):
    script = [call(0, '{"xs":[6,7]}', '{"xs":[5,7]}'), Say('{"xs":[5,7]}'), Say('{"xs":[12]}')]
    bench = drive(tmp_path, script, attempts=3, tries=4)
    assert bench.payloads[:2] == [b'{"xs":[6,7]}', b'{"xs":[5,7]}']
    assert [m["role"] for m in bench.calls[1].body["messages"][-2:]] == ["tool", "tool"]
    # The answer repeats what was just tried: it is no attempt, its cost is carried to the next.
    assert bench.payloads[2] == b'{"xs":[12]}'
    assert bench.spent.tokens == 450


def test_tries_end(tmp_path):
    bench = drive(tmp_path, [call(0, '{"xs":[6,7]}')], attempts=4, tries=2)
    offered = ["tools" in one.body for one in bench.calls]
    assert offered[:3] == [True, True, False]


@pytest.mark.parametrize(
    "arguments",
    ["{", "null", '{"candidate": 7}', '{"other": "x"}', '"text"', "[" * 5000, ""],
)
def test_malformed_arguments_are_attempts_and_no_errors(tmp_path, arguments):
    script = [Say("", calls=(("c", "try_candidate", arguments),)), Say('{"xs":[6,6]}')]
    bench = drive(tmp_path, script, attempts=2, tries=2)
    assert bench.reasons == ["invalid", "accepted"]


def test_an_object_in_place_of_a_text_is_taken(tmp_path):
    arguments = '{"candidate": {"xs": [6, 6]}}'
    script = [Say("", calls=(("c", "try_candidate", arguments),)), Say("")]
    assert drive(tmp_path, script, attempts=1, tries=2).reasons == ["accepted"]


def test_an_unknown_tool_is_answered_and_costs_a_try(tmp_path):
    script = [Say("", calls=(("c", "rm_rf", "{}"),)), Say('{"xs":[6,6]}')]
    bench = drive(tmp_path, script, attempts=1, tries=2)
    assert "no tool 'rm_rf'" in bench.calls[1].body["messages"][-1]["content"]
    assert bench.reasons == ["accepted"]
    assert bench.spent.tokens == 300


def test_a_model_without_tools_is_asked_plainly(tmp_path):
    def script(one):
        if "tools" in one.body:
            return Fail(400, "this model does not support tools")
        return Say('{"xs":[6,6]}')

    bench = drive(tmp_path, script, attempts=2, tries=3)
    assert bench.reasons == ["accepted", "not-better"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_fault_within_a_turn_loses_no_trial(tmp_path, number):
    script = [call(0, '{"xs":[6,7]}'), call(1, '{"xs":[5,7]}'), Say('{"xs":[12]}')]
    script.insert(number, Fail(503))
    bench = drive(tmp_path, script, attempts=3, tries=3)
    assert bench.reasons == ["refuted", "accepted", "accepted"]


def test_a_permanent_fault_within_a_turn_keeps_what_was_tried(tmp_path):
    bench = drive(tmp_path, [call(0, '{"xs":[6,6]}'), Fail(401)], attempts=9, tries=3)
    assert bench.ended.stopped == "trouble"
    assert bench.reasons == ["accepted"]


class TestAsk:
    def answer(self, folder, answers):
        for number, text in enumerate(answers, 1):
            prompt = folder / f"{number:04d}-prompt.md"
            for _ in range(200):
                if prompt.exists():
                    break
                time.sleep(0.02)
            (folder / f"{number:04d}-answer.md").write_text(text)

    def test_answers_come_from_files(self, tmp_path):
        folder = tmp_path / "asks"
        answers = ['see:\n```json\n{"xs":[6,7]}\n```\n', '{"xs":[6,6]}']
        thread = threading.Thread(target=self.answer, args=(folder, answers), daemon=True)
        thread.start()
        bench = Bench(tmp_path)
        bench.run(Ask, "ask", {"folder": str(folder), "settle": "0.05"}, attempts=2)
        assert bench.reasons == ["refuted", "accepted"]
        assert "Trial 1: refuted" in (folder / "0002-prompt.md").read_text()
        assert any("0001-prompt.md" in notice for notice in bench.notices)

    def test_it_stops_when_the_time_is_over(self, tmp_path):
        bench = Bench(tmp_path)
        ended = bench.run(Ask, "ask", {"folder": str(tmp_path / "asks")}, seconds=0.5)
        assert ended.stopped == "budget"
        assert bench.trials == []

    def test_answers_come_from_the_terminal(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(sys, "stdin", iter(['{"xs":\n', "[6,6]}\n", ".\n", "no\n", ".\n"]))
        bench = Bench(tmp_path)
        ended = bench.run(Ask, "ask", {"terminal": "yes"})
        assert bench.reasons == ["accepted", "invalid"]
        assert ended.stopped == "exhausted"
        assert "positive integers that add up" in capsys.readouterr().err

    def test_a_folder_that_cannot_be_written_is_trouble(self, tmp_path):
        (tmp_path / "file").write_text("")
        bench = Bench(tmp_path)
        ended = bench.run(Ask, "ask", {"folder": str(tmp_path / "file" / "asks")})
        assert ended.stopped == "trouble"

    def test_an_unknown_format_is_refused(self, tmp_path):
        ended = Bench(tmp_path).run(Ask, "ask", {"format": "toy-some"})
        assert ended.stopped == "trouble"
        assert isinstance(ended.trouble, ConfigurationError)
        assert "toy-sum" in ended.detail

"""Agents against a server with every fault: nothing recorded is lost, budgets end sessions."""

import socket
import threading
import time
from email.utils import formatdate

import openai  # noqa: F401 - imported here, so that no session's time is spent on it
import pytest
from model_bench import Bench, options
from model_server import Endless, Fail, ModelServer, Raw, Say, event

from certune.agents.openai import OpenAI

GOOD = Say('{"xs":[5,7]}')
BETTER = Say('{"xs":[12]}')


def drive(tmp_path, script, attempts=2, more=None, **budget):
    bench = Bench(tmp_path)
    with ModelServer(script) as server:
        bench.server = server
        given = options(server, **(more or {}))
        bench.ended = bench.run(OpenAI, "openai", given, attempts=attempts, **budget)
    return bench


PASSING = {
    "429": Fail(429),
    "429 with Retry-After": Fail(429, headers={"retry-after": "0.1"}),
    "429 with a date": Fail(429, headers={"retry-after": formatdate(0, usegmt=True)}),
    "429 with nonsense": Fail(429, headers={"retry-after": "soon"}),
    "429 with NaN": Fail(429, headers={"retry-after": "nan"}),
    "500": Fail(500),
    "503 in HTML": Fail(503, body=b"<html>try later</html>", kind="text/html"),
    "502 empty": Fail(502, body=b""),
    "408": Fail(408),
    "reset at once": Raw(end="reset"),
    "reset mid-stream": Raw(event(content='{"xs":[5'), end="reset"),
    "closed mid-stream": Raw(event(content='{"xs":[5')),
    "ended without an end": Raw(event(content='{"xs":[5'), end="end"),
    "truncated JSON": Raw(b'data: {"choices":[{"delta":{"con\n\n', end="end"),
    "not JSON": Raw(b"data: hello\n\n", end="end"),
    "no object": Raw(b"data: [1, 2]\n\n", end="end"),
    "an error in the stream": Raw(b'data: {"error":{"message":"overloaded"}}\n\n', end="end"),
    "a whole answer cut short": Raw(b'{"choices":[{"mess', kind="application/json", end="end"),
    "deep nesting": Raw(b"data: " + b"[" * 100_000 + b"\n\n", end="end"),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_waited_out(tmp_path, name):
    bench = drive(tmp_path, [PASSING[name], GOOD, PASSING[name], BETTER])
    assert bench.reasons == ["accepted", "accepted"]
    assert bench.payloads == [b'{"xs":[5,7]}', b'{"xs":[12]}']
    assert bench.ended.stopped == "budget"
    assert len(bench.server.calls) == 4


@pytest.mark.parametrize("name", ["reset mid-stream", "closed mid-stream", "truncated JSON"])
def test_what_a_broken_call_may_have_cost_is_charged_to_the_next(tmp_path, name):
    bench = drive(tmp_path, [PASSING[name], GOOD], attempts=1)
    trial = bench.trials[0]
    assert trial.usage.tokens_in > 100
    assert trial.provenance["estimated"] is True


@pytest.mark.parametrize("name", ["429", "500", "reset at once"])
def test_a_call_that_the_server_refused_costs_nothing_that_was_not_told(tmp_path, name):
    bench = drive(tmp_path, [PASSING[name], GOOD], attempts=1)
    if name != "reset at once":
        assert (bench.trials[0].usage.tokens_in, bench.trials[0].usage.tokens_out) == (100, 50)


def test_retry_after_is_honoured(tmp_path):
    bench = drive(tmp_path, [Fail(429, headers={"retry-after": "0.4"}), GOOD], attempts=1)
    first, second = bench.server.calls
    assert second.at - first.at >= 0.4


ANSWERS = {
    "invalid UTF-8": (Raw(b'data: {"choices":[{"delta":{"content":"\xff\xfe"},'
                          b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n', end="end"), ""),
    "no choices": (Say(choices=False), "empty"),
    "an empty answer": (Say(""), "empty"),
    "a refusal": (Say(refusal="I cannot help with that"), "refused"),
    "a content filter": (Say("", finish="content_filter"), "filter"),
    "cut at the limit": (Say('{"xs":[5,', finish="length"), "cut off"),
    "a lone surrogate": (Say('{"xs": "\ud800"}'), ""),
    "choices that are none": (Raw(b'data: {"choices": 7}\n\ndata: [DONE]\n\n', end="end"), "empty"),
    "usage that is none": (
        Raw(b'data: {"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":1e99}}\n\n'
            b"data: [DONE]\n\n", end="end"), "empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_without_a_candidate_is_an_attempt_and_goes_back_once(tmp_path, name):
    answer, note = ANSWERS[name]
    bench = drive(tmp_path, [answer, GOOD, answer, answer, BETTER], attempts=5)
    assert bench.reasons == ["invalid", "accepted", "invalid", "invalid", "accepted"]
    assert note in str(bench.trials[0].provenance.get("note", ""))
    turns = [trial.provenance["turn"] for trial in bench.trials]
    assert turns == ["first", "repair", "first", "repair", "first"]
    repair = bench.server.calls[1].body["messages"]
    assert [message["role"] for message in repair] == ["system", "user", "assistant", "user"]
    assert repair[:2] == bench.server.calls[0].body["messages"]


PERMANENT = {
    "401": (Fail(401, "no such key"), "OPENAI_API_KEY"),
    "403": (Fail(403, "not yours"), "not yours"),
    "unknown model": (Fail(404, "model 'toy-model' not found"), "toy-model"),
    "no quota": (
        Fail(429, body=b'{"error":{"message":"pay","code":"insufficient_quota"}}'), "pay"),
    "a request that nothing mends": (Fail(400, "never"), "never"),
}  # fmt: skip


@pytest.mark.parametrize("name", PERMANENT)
def test_a_permanent_fault_stops_the_session_with_its_reason(tmp_path, name):
    fault, word = PERMANENT[name]
    bench = drive(tmp_path, [GOOD, fault], attempts=9)
    assert bench.ended.stopped == "trouble"
    assert word in bench.ended.detail
    assert bench.reasons == ["accepted"]


def test_an_unknown_host_is_permanent(tmp_path):
    bench = Bench(tmp_path)
    given = {"base_url": "http://no-such-host.invalid/v1", "model": "m", "pause": "0.001"}
    began = time.monotonic()
    ended = bench.run(OpenAI, "openai", given | {"patience": "2"}, attempts=2)
    assert ended.stopped == "trouble"
    assert time.monotonic() - began < 20


def test_nobody_listening_is_trouble_when_nobody_ever_did(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "m", "pause": "0.01"}
    bench = Bench(tmp_path)
    ended = bench.run(OpenAI, "openai", given | {"patience": "0.3"}, attempts=2)
    assert ended.stopped == "trouble"
    assert "refused" in ended.detail


def test_a_web_page_is_no_model(tmp_path):
    page = Raw(b"<html>welcome</html>", kind="text/html; charset=utf-8", end="end")
    bench = drive(tmp_path, [page], more={"patience": "0.2"})
    assert bench.ended.stopped == "trouble"
    assert "/v1" in bench.ended.detail


def test_faults_without_end_do_not_end_a_session_before_its_time(tmp_path):
    began = time.monotonic()
    bench = drive(tmp_path, [GOOD, Fail(503)], attempts=9, seconds=4.0, more={"patience": "0.1"})
    assert bench.ended.stopped == "budget"
    assert time.monotonic() - began >= 4.0
    assert bench.reasons == ["accepted"]


def test_faults_without_end_end_a_session_that_has_no_time_limit(tmp_path):
    bench = drive(tmp_path, [GOOD, Fail(503)], attempts=9, more={"patience": "0.2"})
    assert bench.ended.stopped == "trouble"
    assert bench.reasons == ["accepted"]


def test_a_server_that_comes_back_is_asked_again(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bench = Bench(tmp_path)
    server = ModelServer([GOOD])
    server.http.server_close()

    def later():
        time.sleep(0.4)
        type(server.http).allow_reuse_address = True
        server.http = type(server.http)(("127.0.0.1", port), server.http.RequestHandlerClass)
        server.http.serve_forever(0.02)

    threading.Thread(target=later, daemon=True).start()
    given = options(server, base_url=f"http://127.0.0.1:{port}/v1", pause="0.05")
    ended = bench.run(OpenAI, "openai", given, attempts=1)
    server.http.shutdown()
    server.http.server_close()
    assert ended.stopped == "budget"
    assert bench.reasons == ["accepted"]


def test_a_hanging_server_is_left_at_the_timeout(tmp_path):
    hang = Raw(end="hang", seconds=5)
    began = time.monotonic()
    bench = drive(tmp_path, [hang, GOOD], attempts=1, more={"timeout": "0.3"})
    assert bench.reasons == ["accepted"]
    assert time.monotonic() - began < 4
    assert bench.trials[0].usage.tokens_in > 100  # the hanging call is charged


def test_a_slow_drip_is_left_at_the_timeout(tmp_path):
    drip = Say("x" * 4000, pieces=1, pause=0.02)
    began = time.monotonic()
    bench = drive(tmp_path, [drip, GOOD], attempts=1, more={"timeout": "0.4"})
    assert bench.reasons == ["accepted"]
    assert time.monotonic() - began < 5


def test_the_end_of_the_time_cuts_a_call_and_records_what_it_cost(tmp_path):
    drip = Say("x" * 40000, pieces=1, pause=0.02)
    began = time.monotonic()
    bench = drive(tmp_path, [GOOD, drip], attempts=9, seconds=4.0)
    assert time.monotonic() - began < 9
    assert bench.ended.stopped == "budget"
    assert bench.reasons == ["accepted", "invalid"]
    assert bench.trials[1].usage.tokens_in > 0
    assert bench.trials[1].provenance["estimated"] is True


@pytest.mark.parametrize(
    "answer",
    [
        Endless(event(content="x" * 5000)),
        Endless(event(reasoning_content="hm " * 2000)),
        Endless(event(tool_calls=[{"index": 0, "function": {"arguments": "x" * 5000}}])),
    ],
)
def test_an_answer_without_end_is_cut_and_recorded(tmp_path, answer):
    bench = drive(tmp_path, [answer, GOOD], more={"max_answer": "20000"})
    assert bench.reasons == ["invalid", "accepted"]
    assert "cut off" in bench.trials[0].provenance["note"]
    assert len(bench.payloads[0]) < 60_000


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    bench = drive(tmp_path, [Endless(b"data: " + b"x" * 100_000), GOOD], attempts=1)
    assert bench.reasons == ["accepted"]
    assert bench.server.aborted == 1


def test_a_giant_answer_in_one_piece_is_refused(tmp_path):
    giant = Raw(b" " * (40 * 2**20), kind="application/json", end="end")
    bench = drive(tmp_path, [giant, GOOD], attempts=1, more={"max_answer": "1000"})
    assert bench.reasons == ["accepted"]


def test_an_answer_that_always_breaks_is_an_attempt(tmp_path):
    """As llama.cpp breaks off when the end of an answer is not what its parser expects."""
    said = event(content='{"xs":[5')
    refused = b'data: {"error":{"code":500,"message":"does not match the format"}}\n\n'
    bench = drive(tmp_path, [Raw(said + refused, end="end")], attempts=4)
    assert bench.ended.stopped == "budget"
    assert bench.reasons == ["invalid"] * 4
    assert bench.payloads[0] == b'{"xs":[5'
    assert "broke off 3 times" in bench.trials[0].provenance["note"]
    assert len(bench.server.calls) == 12
    assert bench.spent.tokens > 12 * 100  # what the broken calls may have cost is counted


def test_a_whole_candidate_in_a_broken_answer_is_judged(tmp_path):
    bench = drive(tmp_path, [Raw(event(content='{"xs":[5,7]}'))], attempts=1)
    assert bench.reasons == ["accepted"]


def test_another_model_than_asked_for_is_recorded(tmp_path):
    bench = drive(tmp_path, [Say('{"xs":[5,7]}', model="tiny-1b")], attempts=1)
    assert bench.trials[0].provenance["model"] == "toy-model"
    assert bench.trials[0].provenance["answered_by"] == "tiny-1b"


def test_a_fault_at_every_call_never_loses_a_trial(tmp_path):
    faults = [*PASSING.values()]
    good = [Say('{"xs":[%d,%d]}' % (n, 12 - n)) for n in range(1, len(faults) + 1)]  # noqa: UP031
    script = [one for pair in zip(faults, good, strict=True) for one in pair]
    bench = drive(tmp_path, script, attempts=len(faults))
    assert len(bench.trials) == len(faults)
    assert [trial.number for trial in bench.trials] == list(range(1, len(faults) + 1))
    assert bench.payloads == [answer.text.encode() for answer in good]

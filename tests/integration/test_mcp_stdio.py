"""`certune mcp` over standard streams: the official client, raw bytes, and sudden ends."""

import json
import os
import signal
import subprocess
import sys
import time

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp_bench import Caller, dumps
from mcp_process import arguments, environment

from certune.ledger import Ledger

HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "raw \u2603\n", "version": "0"},
}


def talk(project, folder, conversation, *more):
    async def run():
        parameters = StdioServerParameters(
            command=sys.executable,
            args=arguments(project, *more),
            env=environment(folder),
        )
        async with Client(parameters) as client:
            return await conversation(Caller(client))

    return anyio.run(run)


def recorded(project):
    with Ledger.open(project, create=False, read_only=True) as ledger:
        ledger.verify()
        record = ledger.session("last")
        return record, ledger.trials(record.id)


class Raw:
    """The protocol spoken by hand over pipes, so that every byte is seen."""

    def __init__(self, project, folder, *more):
        self.errors = (folder / "errors").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, *arguments(project, *more)],
            env=environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        self.lines = []
        self._count = 0

    def __enter__(self):
        self.ask("initialize", HELLO)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method, parameters):
        self._count += 1
        self.send({"jsonrpc": "2.0", "id": self._count, "method": method, "params": parameters})
        while line := self.process.stdout.readline():
            self.lines.append(line)
            answer = json.loads(line)
            if answer.get("id") == self._count:
                return answer
        raise AssertionError("it closed its output")

    def call(self, name, **arguments_):
        answer = self.ask("tools/call", {"name": name, "arguments": arguments_})
        return answer["result"]["structuredContent"]

    def wait_for(self, identity, state):
        end = time.monotonic() + 10
        while self.call("verdict", id=identity, wait_seconds=0)["state"] != state:
            assert time.monotonic() < end
            time.sleep(0.02)

    def told(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()
            self.errors.close()


def test_a_client_starts_it_proposes_and_leaves(tmp_path):
    project = tmp_path / "project"

    async def conversation(call):
        brief = await call("brief")
        first = await call.judged(dumps([6, 7]))
        return brief, first, await call.judged(dumps([4, 8]))

    brief, wrong, right = talk(
        project, tmp_path, conversation, "toy/sum", "-b", "attempts=5", "-p", "total=12"
    )
    assert brief["budget"]["attempts"] == 5
    assert wrong["reason"] == "refuted"
    assert right["reason"] == "accepted"
    record, trials = recorded(project)
    assert record.agent == "mcp"
    assert [t.decision.reason for t in trials] == ["refuted", "accepted"]
    assert record.ended is not None


def test_a_session_is_continued_by_its_name(tmp_path):
    project = tmp_path / "project"
    talk(project, tmp_path, lambda call: call.judged(dumps([6, 6])), "toy/sum", "-b", "attempts=3")
    first, _ = recorded(project)

    async def conversation(call):
        return await call("brief"), await call.judged(dumps([6, 6]))

    brief, again = talk(project, tmp_path, conversation, "--resume", "last")
    assert brief["session"] == first.id
    assert brief["budget"]["attempts"] == 2
    assert brief["holders"] == {"terms": "trial 1"}
    assert (again["trial"], again["known"]) == (2, True)


def test_standard_output_carries_the_protocol_alone(tmp_path):
    with Raw(tmp_path / "project", tmp_path, "toy/sum") as raw:
        raw.call("brief")
        ticket = raw.call("propose", payload=dumps([6, 6]))
        assert raw.call("verdict", id=ticket["id"])["reason"] == "accepted"
        raw.call("verify", payload="nonsense")
        raw.process.stdin.close()
        rest = raw.process.stdout.read()
        assert raw.process.wait(20) == 0
        assert rest == b""
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in raw.lines)
        told = raw.told()
    assert "serving toy/sum" in told
    assert "Traceback" not in told
    _, (trial,) = recorded(tmp_path / "project")
    assert trial.provenance["client"] == "raw ?? 0"


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nonsense\n",
        b"\xff\xfe\x00\n",
        b"[]\n",
        b'{"jsonrpc":"2.0"}\n',
        b"[" * 200000 + b"\n",
    ],
    ids=["empty", "text", "bytes", "array", "bare", "deep"],
)
def test_broken_messages_do_not_end_the_server(tmp_path, line):
    with Raw(tmp_path / "project", tmp_path, "toy/sum") as raw:
        raw.process.stdin.write(line)
        raw.process.stdin.flush()
        assert raw.call("brief")["holders"] == {"terms": "the baseline ones"}


def test_a_disconnect_while_judging_still_records(tmp_path):
    with Raw(tmp_path / "project", tmp_path, "toy/sum") as raw:
        raw.call("propose", payload=dumps([6, 6], sleep=1.0))
        raw.call("propose", payload=dumps([5, 7]))
        raw.wait_for("p1", "judging")
    record, (trial,) = recorded(tmp_path / "project")
    assert trial.accepted
    assert record.ended is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, -1)]
)
def test_a_signal_loses_nothing_that_was_recorded(tmp_path, number, code):
    with Raw(tmp_path / "project", tmp_path, "toy/sum") as raw:
        first = raw.call("propose", payload=dumps([6, 6]))
        raw.call("verdict", id=first["id"])
        raw.call("propose", payload=dumps([5, 7], sleep=0.7))
        raw.wait_for("p2", "judging")
        raw.process.send_signal(number)
        assert raw.process.wait(20) == code
    record, trials = recorded(tmp_path / "project")
    if number == signal.SIGHUP:
        assert [t.accepted for t in trials] == [True]
    else:
        assert [t.accepted for t in trials] == [True, False]
        assert record.ended is not None


@pytest.mark.slow
def test_a_kill_at_any_time_keeps_every_verdict_that_was_told(tmp_path):
    """Killed while it judges, again and again; what was told is in the ledger each time."""
    project = tmp_path / "project"
    more = ["toy/sum", "-b", "attempts=50"]
    told = {}
    for number in range(3):
        with Raw(project, tmp_path, *more) as raw:
            for xs in ([6, 7], [number + 1] * 3):
                ticket = raw.call("propose", payload=dumps(xs))
                verdict = raw.call("verdict", id=ticket["id"])
                told[verdict["trial"]] = verdict["reason"]
            raw.call("propose", payload=dumps([2, 9], sleep=0.05 * number))
            time.sleep(0.03 * number)
            raw.process.kill()
            raw.process.wait(10)
        _, trials = recorded(project)
        reasons = {trial.number: trial.decision.reason for trial in trials}
        assert {number: reasons.get(number) for number in told} == told
        assert list(reasons) == list(range(1, len(reasons) + 1))
        more = ["--resume", "last"]
    assert len(told) == 6


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        ([], 2, "either a task or --resume is needed"),
        (["toy/sum", "--resume", "last"], 2, "either a task or --resume"),
        (["toy/product"], 2, "there is no task"),
        (["nofamily/x"], 2, "there is no family"),
        (["toy/sum", "-b", "tokens=5"], 2, "not known to the server"),
        (["toy/sum", "-b", "money=5"], 2, "not known to the server"),
        (["toy/sum", "-b", "attempts=0"], 2, "positive"),
        (["--resume", "nothing"], 2, ""),
        (["toy/sum", "--sign", "missing.pem"], 2, "missing.pem"),
        (["toy/sum", "--incumbent", "missing.json"], 2, "missing.json"),
        (["toy/sum", "--port", "70000"], 2, "65535"),
    ],
)
def test_what_is_wrong_at_the_start_is_said_at_the_start(tmp_path, more, code, told):
    done = subprocess.run(
        [sys.executable, *arguments(tmp_path / "project", *more)],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stdout == b""
    assert told in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_wrong_incumbent_is_refused_at_the_start(tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text(dumps([1, 2]))
    done = subprocess.run(
        [
            sys.executable,
            *arguments(tmp_path / "project", "toy/sum", "--incumbent", str(wrong)),
        ],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"the sum is 3, not 12" in done.stderr


def test_the_served_agent_cannot_be_run(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "certune", "optimize", "toy/sum", "--agent", "mcp"],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"certune mcp TASK" in done.stderr


def test_an_environment_without_the_sdk_is_told_what_to_install(tmp_path):
    hidden = tmp_path / "hidden"
    (hidden / "mcp").mkdir(parents=True)
    (hidden / "mcp" / "__init__.py").write_text("raise ModuleNotFoundError(name='mcp')")
    variables = environment(tmp_path)
    variables["PYTHONPATH"] = os.pathsep.join([str(hidden), variables["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, *arguments(tmp_path / "project", "toy/sum")],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert b"pip install 'certune[mcp]'" in done.stderr

"""`certune mcp --http` through the official client and by hand."""

import contextlib
import re
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest
from mcp_bench import dumps
from mcp_process import HttpServer
from mcp_process import talk_http as talk

from certune.ledger import Ledger

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "by-hand", "version": "0"},
    },
}
ACCEPTS = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    project = tmp_path_factory.mktemp("project")
    folder = tmp_path_factory.mktemp("toy")
    with HttpServer(project, folder, "toy/sum", "-b", "attempts=20") as server:
        server.project = project
        yield server


def post(server, headers, **more):
    return httpx2.post(server.url, json=HELLO, headers={**ACCEPTS, **headers}, timeout=10, **more)


def test_a_client_with_the_token_proposes_and_is_judged(served):
    async def conversation(call):
        first = await call.judged(dumps([6, 7]))
        return first, await call.judged(dumps([4, 8]))

    wrong, right = talk(served, conversation)
    assert wrong["reason"] == "refuted"
    assert right["reason"] == "accepted"
    with Ledger.open(served.project, create=False, read_only=True) as ledger:
        ledger.verify()
        recorded = ledger.trials(ledger.session("last").id)
    assert [t.decision.reason for t in recorded[:2]] == ["refuted", "accepted"]


def test_two_clients_share_the_session(served):
    async def other(call):
        return await call("brief")

    async def conversation(call):
        mine = await call("brief")
        return mine, await anyio.to_thread.run_sync(lambda: talk(served, other))

    mine, theirs = talk(served, conversation)
    assert mine["session"] == theirs["session"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic {token}"},
        {"Authorization": "{token}"},
        {"Authorization": "Bearer {token}x"},
        {"Authorization": "Bearer {start}"},
        {"X-Authorization": "Bearer {token}"},
        {"Cookie": "token={token}"},
    ],
)
def test_without_the_token_nothing_is_answered(served, headers):
    filled = {k: v.format(token=served.token, start=served.token[:-1]) for k, v in headers.items()}
    answer = post(served, filled)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert served.token not in answer.text


def test_a_token_in_the_address_is_no_token(served):
    assert post(served, {}, params={"token": served.token}).status_code == 401


def test_two_authorization_headers_are_refused(served):
    headers = [
        ("authorization", f"Bearer {served.token}"),
        ("authorization", "Bearer x"),
        *ACCEPTS.items(),
    ]
    assert httpx2.post(served.url, json=HELLO, headers=headers).status_code == 401


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", ["/mcp", "/", "/.well-known/oauth-protected-resource", "/docs"])
def test_every_path_and_method_needs_the_token(served, method, path):
    url = served.url.removesuffix("/mcp") + path
    assert httpx2.request(method, url).status_code == 401


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:{port}"}, 421),
        ({"Host": "127.0.0.1.evil.example:{port}"}, 421),
        ({"Host": "127.0.0.1:1"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://localhost.evil.example:{port}"}, 403),
    ],
)
def test_host_and_origin_must_be_loopback_at_this_port(served, headers, code):
    port = urlsplit(served.url).port
    filled = {k: v.format(port=port) for k, v in headers.items()}
    filled["Authorization"] = f"Bearer {served.token}"
    assert post(served, filled).status_code == code


def test_the_right_host_and_origin_are_let_in(served):
    port = urlsplit(served.url).port
    for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
        headers = {"Authorization": f"Bearer {served.token}", "Origin": origin}
        assert post(served, headers).status_code == 200


def test_it_listens_on_loopback_alone(served):
    port = urlsplit(served.url).port
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    table = [line for t in tables if t.exists() for line in t.read_text().splitlines()[1:]]
    listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
    assert [a for a in listening if a.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_a_giant_body_is_refused(served):
    headers = {"Authorization": f"Bearer {served.token}", **ACCEPTS}
    answer = httpx2.post(served.url, content=b"x" * (5 * 2**20), headers=headers, timeout=20)
    assert answer.status_code in (400, 413)


def test_the_token_is_new_at_every_start_and_written_nowhere(served, tmp_path):
    with HttpServer(tmp_path / "p", tmp_path, "toy/sum") as other:
        assert other.token != served.token
        talk(other, lambda call: call.judged(dumps([6, 6])))
        assert len(other.token) >= 43
        written = [f for f in (tmp_path / "p").rglob("*") if f.is_file()]
        assert written
        for path in written:
            assert other.token.encode() not in path.read_bytes()
        assert other.log.count(other.token) == 1
    assert other.stdout.read_bytes() == b""
    assert "Traceback" not in other.log


def test_a_taken_port_is_trouble_of_our_own(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = HttpServer(tmp_path / "p", tmp_path, "toy/sum", "--port", str(port))
        with pytest.raises(AssertionError, match="cannot listen"):
            server.__enter__()
    assert server.process.wait(10) == 3
    assert "Traceback" not in server.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_judging_still_records_and_ends_the_run(tmp_path, number):
    async def conversation(call):
        await call("propose", payload=dumps([6, 6], sleep=1.5))
        waiting = await call("propose", payload=dumps([5, 7]))
        with anyio.fail_after(5):
            while (await call("verdict", id="p1", wait_seconds=0))["state"] != "judging":
                await anyio.sleep(0.02)
        server.process.send_signal(number)
        return waiting

    with HttpServer(tmp_path / "p", tmp_path, "toy/sum") as server:
        with contextlib.suppress(BaseExceptionGroup):  # the connection ends under the client
            talk(server, conversation)
        assert server.process.wait(20) == (130 if number == signal.SIGINT else 143)
    with Ledger.open(tmp_path / "p", create=False, read_only=True) as ledger:
        ledger.verify()
        record = ledger.session("last")
        (trial,) = ledger.trials(record.id)
    assert trial.accepted
    assert record.ended is not None
    assert re.search("asked", record.ended.reason)
    assert "Traceback" not in server.log

"""Ways for a coding agent to get more than a verdict out of the MCP server."""

import os

import pytest
from mcp_bench import bench, dumps
from mcp_process import HttpServer
from mcp_process import talk_http as talk

from certune.core import Budget
from certune.ledger import Ledger


@pytest.fixture
def served(tmp_path):
    with bench(tmp_path, Budget(attempts=6)) as found:
        yield found


@pytest.mark.parametrize(
    "wish",
    [
        {"budget": {"attempts": 1000}},
        {"attempts": 1000},
        {"floors": {"*": "unknown"}},
        {"task": "toy/other"},
        {"parameters": {"total": 1}},
        {"total": 1},
        {"project": "/"},
        {"verdict": "proved"},
        {"accepted": True},
        {"agent": "search"},
        {"trial": 1},
        {"usage": {"tokens_in": 0}},
    ],
)
def test_no_argument_changes_what_is_asked_or_what_it_may_cost(served, wish):
    before = served.talk(lambda call: call("brief"))
    told = served.talk(lambda call: call.refused("propose", payload=dumps([6, 6]), **wish))
    assert "not permitted" in told
    after = served.talk(lambda call: call("brief"))
    for name in ("task", "goal", "to_beat", "bounds"):
        assert before[name] == after[name]
    assert after["budget"]["attempts"] == 6
    assert served.trials() == []


@pytest.mark.parametrize(
    "payload",
    [
        '{"xs":[6,7],"accepted":true,"status":"proved","verdict":{"status":"proved"}}',
        '{"xs":[6,7],"total":13}',
        '{"xs":[6,6],"xs":[6,7]}',
        '{"xs":[12.0]}',
        '{"xs":[true,11]}',
        '{"xs":[1e1,2]}',
        '{"xs":[13,-1]}',
        '{"xs":[12,0]}',
        '{"xs":["12"]}',
        '{"xs":[12]} {"xs":[12]}',
        '{"xs":' + "[" * 5000 + "]" * 5000 + "}",
        '{"xs":[' + "9" * 5000 + "]}",
        "\ufeff" + '{"xs":[12]}',
    ],
)
def test_no_payload_talks_its_way_in(served, payload):
    told = served.talk(lambda call: call.judged(payload))
    assert told["state"] == "done"
    assert told["accepted"] is False
    assert told["status"] in ("invalid", "refuted")
    assert served.trials()[0].decision.accepted is False


def test_a_verification_is_no_acceptance(served):
    async def conversation(call):
        await call("verify", payload=dumps([6, 6]))
        after = await call("best")
        wrong = await call.judged(dumps([6, 7]))
        return after, wrong

    after, wrong = served.talk(conversation)
    assert after["holders"][0]["of"] == "the baseline ones"
    assert wrong["accepted"] is False
    assert [t.accepted for t in served.trials()] == [False]


def test_verifying_without_end_does_not_outlast_the_budget(tmp_path):
    async def conversation(call):
        for number in range(200):
            result = await call.client.call_tool("verify", {"payload": dumps([number, 1])})
            if result.is_error:
                return result.content[0].text
        return "never refused"

    with bench(tmp_path, Budget(seconds=0.5)) as served:
        assert "the session is over" in served.talk(conversation)


def test_the_same_payload_again_spends_and_gains_nothing(served):
    async def conversation(call):
        return [await call.judged(dumps([6, 6])) for _ in range(6)]

    told = served.talk(conversation)
    assert [t["accepted"] for t in told] == [True] + [False] * 5
    assert told[-1]["budget"]["attempts"] == 0


@pytest.mark.parametrize("path", [".env", "notes", "../secret", "/proc/self/environ"])
def test_no_file_but_a_payload_of_the_project_is_read(served, path):
    """Neither the answer nor the ledger holds a secret that the client named by its path."""
    (served.project / ".env").write_text("KEY=sk-planted")
    (served.project.parent / "secret").write_text("sk-planted")
    if not (served.project / "notes").exists():
        os.symlink(served.project / ".env", served.project / "notes")
    told = served.talk(lambda call: call.refused("propose", path=path))
    assert "planted" not in told
    assert served.trials() == []
    for file in (served.project / ".certune").rglob("*"):
        assert not file.is_file() or b"sk-planted" not in file.read_bytes()


def test_keys_in_the_environment_go_nowhere(tmp_path):
    keys = {"OPENAI_API_KEY": "sk-planted-1", "ANTHROPIC_API_KEY": "sk-planted-2"}
    project = tmp_path / "project"
    heard = []

    async def conversation(call):
        heard.append(await call("brief"))
        for payload in (dumps([6, 6]), "sk", dumps([6, 6], trouble=1)):
            heard.append(await call.judged(payload))
        heard.append(await call("explain", trial=1))

    with HttpServer(project, tmp_path, "toy/sum", **keys) as server:
        talk(server, conversation)
        log = server.log
    assert "sk-planted" not in log
    assert "sk-planted" not in str(heard)
    with Ledger.open(project, create=False, read_only=True) as ledger:
        assert len(ledger.trials(ledger.session("last").id)) == 3
    written = [file for file in project.rglob("*") if file.is_file()]
    assert written
    for file in written:
        assert b"sk-planted" not in file.read_bytes()

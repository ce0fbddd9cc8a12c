"""The MCP tools, through the official client in memory."""

import time

import anyio
import pytest
from mcp_bench import bench, dumps

from certune.core import Budget, Crashed, Status
from certune.mcp.server import LONGEST, WAIT

TOOLS = {
    "list_tasks": set(),
    "brief": set(),
    "budget": set(),
    "best": set(),
    "explain": {"trial"},
    "verdict": {"id", "wait_seconds"},
    "propose": {"payload", "path", "format"},
    "verify": {"payload", "path", "format"},
    "cancel": {"id"},
}


@pytest.fixture
def served(tmp_path):
    with bench(tmp_path, Budget(attempts=20)) as found:
        yield found


def test_tools_and_their_arguments_are_these_and_no_others(served):
    async def conversation(call):
        return (await call.client.list_tools()).tools

    tools = served.talk(conversation)
    assert {t.name: set(t.input_schema["properties"]) for t in tools} == TOOLS
    assert all(t.input_schema["additionalProperties"] is False for t in tools)
    assert all(t.description and t.output_schema for t in tools)
    reading = {t.name for t in tools if t.annotations.read_only_hint}
    assert reading == set(TOOLS) - {"propose", "verify", "cancel"}


def test_brief_says_what_is_wanted(served):
    brief = served.talk(lambda call: call("brief"))
    assert "add up to 12" in brief["task"]
    assert brief["goal"] == "improve terms (numbers, lower is better)"
    (form,) = brief["formats"]
    assert form["json_schema"]["required"] == ["xs"]
    assert form["example"].startswith('{"xs":[1,')
    assert brief["to_beat"][0]["value"] == "12"
    assert brief["holders"] == {"terms": "the baseline ones"}
    assert brief["bounds"][0]["value"]["value"] == "1"
    assert brief["repairs"] == {"sum": "change one number by the difference"}
    assert brief["budget"]["attempts"] == 20


def test_list_tasks_marks_the_served_one(served):
    told = served.talk(lambda call: call("list_tasks"))
    assert told["served"] == "toy/sum"
    assert told["parameters"] == {"total": 12}
    assert told["spec_digest"] == served.task.spec.digest
    assert [(t["name"], t["served"]) for t in told["tasks"]] == [("toy/sum", True)]


def test_proposals_get_the_verdicts_that_the_ledger_records(served):
    async def conversation(call):
        sent = (dumps([6, 6]), dumps([6, 7]), "nope", dumps([6, 6]), dumps([4, 4, 4]))
        return [await call.judged(payload) for payload in sent]

    told = served.talk(conversation)
    assert [t["reason"] for t in told] == [
        "accepted",
        "refuted",
        "invalid",
        "not-better",
        "not-better",
    ]
    assert [t["trial"] for t in told] == [1, 2, 3, 4, 5]
    assert told[0]["accepted"] is True
    assert told[0]["status"] == "proved"
    assert told[0]["metrics"] == [
        {"name": "terms", "value": "2", "approximately": 2.0, "unit": "numbers"}
    ]
    assert told[0]["gap_to_bound"] == 1.0
    assert sorted(path.rsplit("/", 1)[1] for path in told[0]["files"]) == [
        "certificate.json",
        "sum.json",
    ]
    failed = told[1]["obligations"][0]
    assert failed["name"] == "sum"
    assert failed["counterexample"] == {
        "sentence": "the sum is 13, not 12",
        "data": {"sum": 13, "wanted": 12},
    }
    assert "line 1" in told[2]["told"]
    assert told[3]["known"] is True
    recorded = served.trials()
    assert [t.decision.reason for t in recorded] == [t["reason"] for t in told]
    assert {t.agent for t in recorded} == {"mcp"}
    assert all(t.usage.money is None for t in recorded)
    assert (served.project / ".certune/accepted").is_dir()


def test_verify_shows_obligations_and_records_nothing(served):
    async def conversation(call):
        wrong = await call("verify", payload=dumps([6, 0]))
        broken = await call("verify", payload="[")
        right = await call("verify", payload=dumps([6, 6]))
        return wrong, broken, right, await call("budget")

    wrong, broken, right, budget = served.talk(conversation)
    assert wrong["status"] == "refuted"
    assert "xs[1] is 0" in wrong["told"]
    assert broken["status"] == "invalid"
    assert right["status"] == "proved"
    assert right["accepted"] is None
    assert right["trial"] is None
    assert budget["attempts"] == 20
    assert served.trials() == []


def test_best_gives_the_holder_with_payload_and_bound(served):
    async def conversation(call):
        before = await call("best")
        await call.judged(dumps([5, 7]))
        return before, await call("best")

    before, after = served.talk(conversation)
    assert before["holders"][0]["of"] == "the baseline ones"
    assert before["holders"][0]["payload"].startswith('{"xs":[1,1,')
    (holder,) = after["holders"]
    assert (holder["of"], holder["trial"]) == ("trial 1", 1)
    assert holder["payload"] == dumps([5, 7])
    assert holder["bound"]["value"] == "1"
    assert after["accepted_trials"] == [1]
    assert after["nothing_better_exists"] is False


def test_explain_gives_a_recorded_attempt_whole(served):
    async def conversation(call):
        await call.judged(dumps([1, 2]))
        return await call("explain", trial=1), await call.refused("explain", trial=2)

    told, refused = served.talk(conversation)
    assert told["outcome"] == "refuted"
    assert told["payload"] == dumps([1, 2])
    assert told["obligations"][0]["counterexample"]["sentence"] == "the sum is 3, not 12"
    assert "no trial 2" in refused


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("propose", {}, "either payload or path"),
        ("propose", {"payload": "{}", "path": "a.json"}, "either payload or path"),
        ("propose", {"payload": {"xs": [12]}}, "valid string"),
        ("propose", {"payload": "{}", "budget": 1000}, "Extra inputs are not permitted"),
        ("propose", {"payload": "{}", "format": "toy-sun"}, "did you mean 'toy-sum'?"),
        ("propose", {"payload": "x" * (2**20 + 1)}, "give its path"),
        ("verdict", {"id": "p9"}, "no proposal 'p9'"),
        ("verdict", {"id": "p1", "wait_seconds": 3600}, "less than or equal to 20"),
        ("verdict", {}, "Field required"),
        ("explain", {"trial": 0}, "greater than or equal to 1"),
        ("explain", {"trial": "one"}, "valid integer"),
        ("cancel", {"id": "../../etc"}, "no proposal"),
        ("unknown", {}, "Unknown tool"),
    ],
)
def test_bad_arguments_come_back_as_an_error_in_words(served, tool, arguments, told):
    text = served.talk(lambda call: call.refused(tool, **arguments))
    assert told in text
    assert "Traceback" not in text
    assert served.trials() == []


def test_verdict_waits_no_longer_than_asked_and_reports_progress(served):
    heard = []

    async def listen(progress, total, message):
        heard.append((progress, total, message))

    async def conversation(call):
        ticket = await call("propose", payload=dumps([6, 6], sleep=2.6))
        arguments = {"id": ticket["id"], "wait_seconds": 2}
        began = time.monotonic()
        result = await call.client.call_tool("verdict", arguments, progress_callback=listen)
        first = result.structured_content, time.monotonic() - began
        return first, await call("verdict", id=ticket["id"])

    (first, seconds), last = served.talk(conversation)
    assert first["state"] == "judging"
    assert first["judging_seconds"] > 1
    assert 1.9 < seconds < 4
    assert heard
    assert heard[0][1] == 2
    assert heard[0][2] == "judging p1"
    assert last["reason"] == "accepted"


def test_no_call_may_outlast_what_clients_bear():
    assert WAIT < LONGEST < 30


def test_everything_else_answers_while_one_is_judged(served):
    async def conversation(call):
        slow = await call("propose", payload=dumps([6, 6], sleep=1.5))
        behind = await call("propose", payload=dumps([12, 1]))
        began = time.monotonic()
        for look in ("brief", "budget", "best", "list_tasks"):
            await call(look)
        waiting = await call("verdict", id=behind["id"], wait_seconds=0)
        seconds = time.monotonic() - began
        return behind, waiting, seconds, await call("verdict", id=slow["id"])

    behind, waiting, seconds, done = served.talk(conversation)
    assert behind["waiting_before"] >= 1
    assert waiting["state"] == "waiting"
    assert seconds < 1
    assert done["reason"] == "accepted"


def test_what_waits_can_be_cancelled_and_what_is_judged_cannot(served):
    async def conversation(call):
        slow = await call("propose", payload=dumps([6, 6], sleep=0.8))
        behind = await call("propose", payload=dumps([4, 8]))
        with anyio.fail_after(5):
            while (await call("verdict", id=slow["id"], wait_seconds=0))["state"] != "judging":
                await anyio.sleep(0.02)
        late = await call("cancel", id=slow["id"])
        soon = await call("cancel", id=behind["id"])
        return (
            late,
            soon,
            await call("verdict", id=slow["id"]),
            await call("verdict", id=behind["id"]),
        )

    late, soon, first, second = served.talk(conversation)
    assert "too late" in late["told"]
    assert soon["state"] == "cancelled"
    assert first["reason"] == "accepted"
    assert second["state"] == "cancelled"
    assert len(served.trials()) == 1


def test_a_spent_budget_ends_the_session_and_says_so(tmp_path):
    async def conversation(call):
        tickets = [await call("propose", payload=dumps([6, 6], sleep=0.3)) for _ in range(4)]
        told = [await call("verdict", id=ticket["id"]) for ticket in tickets]
        return told, await call("budget"), await call.refused("propose", payload=dumps([12]))

    with bench(tmp_path, Budget(attempts=2)) as served:
        told, budget, refused = served.talk(conversation)
        assert [t["state"] for t in told] == ["done", "done", "not-judged", "not-judged"]
        assert "budget is spent" in told[2]["told"]
        assert budget["attempts"] == 0
        assert "budget is spent" in budget["over"]
        assert "the session is over: the budget is spent" in refused
        assert len(served.trials()) == 2
        assert served.talk(lambda call: call("best"))["holders"][0]["trial"] == 1
        assert "over" in served.talk(lambda call: call.refused("verify", payload=dumps([12])))


def test_time_runs_from_the_first_proposal_on(tmp_path):
    async def conversation(call):
        await anyio.sleep(0.7)
        before = await call("budget")
        first = await call.judged(dumps([6, 6]))
        await anyio.sleep(1.2)
        return before, first, await call("budget")

    with bench(tmp_path, Budget(seconds=0.6)) as served:
        before, first, after = served.talk(conversation)
    assert before["seconds"] == 0.6
    assert first["reason"] == "accepted"
    assert after["seconds"] == 0
    assert "budget is spent (seconds)" in after["over"]


def test_meeting_the_proven_bound_ends_the_session(served):
    async def conversation(call):
        won = await call.judged(dumps([12]))
        with anyio.fail_after(5):
            while (await call("budget"))["over"] is None:
                await anyio.sleep(0.02)
        return won, await call("best"), await call.refused("propose", payload=dumps([6, 6]))

    won, best, refused = served.talk(conversation)
    assert won["accepted"] is True
    assert won["gap_to_bound"] == 0
    assert best["nothing_better_exists"] is True
    assert "nothing better exists" in refused


def test_trouble_of_our_own_is_no_verdict_and_is_recorded(served):
    async def conversation(call):
        trouble = await call.judged(dumps([6, 6], trouble=1))
        defect = await call.judged(dumps([6, 6], bug=1))
        return trouble, defect, await call.judged(dumps([6, 6]))

    trouble, defect, after = served.talk(conversation)
    for told in (trouble, defect):
        assert told["state"] == "failed"
        assert told["status"] is None
        assert told["accepted"] is None
        assert "trouble of certune's own" in told["told"]
    assert after["reason"] == "accepted"
    first, second, third = served.trials()
    assert "the toy's solver died" in first.failure
    assert "ZeroDivisionError" in second.failure
    assert first.verdict is None
    assert third.verdict.status is Status.PROVED


def test_trouble_in_a_verification_is_told_and_not_recorded(served):
    told = served.talk(lambda call: call("verify", payload=dumps([6, 6], trouble=1)))
    assert told["state"] == "failed"
    assert "solver died" in told["told"]
    assert served.trials() == []


def test_trouble_that_lasts_ends_the_session(served):
    async def conversation(call):
        told = [await call.judged(dumps([6, 6], trouble=i + 1)) for i in range(3)]
        with anyio.fail_after(5):
            while (await call("budget"))["over"] is None:
                await anyio.sleep(0.02)
        return told, await call.refused("propose", payload=dumps([6, 6]))

    told, refused = served.talk(conversation)
    assert [t["state"] for t in told] == ["failed"] * 3
    assert "trouble" in refused


def test_the_queue_is_bounded(served):
    async def conversation(call):
        await call("propose", payload=dumps([6, 6], sleep=1.0))
        for _ in range(40):
            result = await call.client.call_tool("propose", {"payload": dumps([5, 7])})
            if result.is_error:
                return result.content[0].text
        return ""

    told = served.talk(conversation)
    assert "wait already" in told


def test_a_file_of_the_project_can_be_proposed(served):
    (served.project / "out").mkdir()
    (served.project / "out" / "sum.json").write_text(dumps([3, 9]))

    async def conversation(call):
        ticket = await call("propose", path="out/sum.json")
        told = await call("verdict", id=ticket["id"])
        absolute = await call("verify", path=str(served.project / "out" / "sum.json"))
        return told, absolute

    told, absolute = served.talk(conversation)
    assert told["accepted"] is True
    assert absolute["status"] == "proved"
    assert served.trials()[0].provenance["via"] == "path"


def test_a_session_that_cannot_begin_says_why(tmp_path):
    def begin():
        raise Crashed("no baseline")

    with pytest.raises(Crashed, match="no baseline"), bench(tmp_path, begin=begin):
        pass

"""The agents' commands as people type them: brief, optimize, compare, resume."""

import contextlib
import json
import os

import pytest
from model_server import Fail, ModelServer, Say
from typer.testing import CliRunner

from certune.cli import app
from certune.tasks.collective import baselines
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import dump_schedule

TASK = ["collective/allgather", "-p", "topology=ring", "-p", "ranks=4", "-p", "targets=none"]


def certune(*words, cwd="."):
    """The command line in this process, in the folder `cwd`, without the machine's keys."""
    unset = {name: None for name in os.environ if name.startswith(("OPENAI", "CERTUNE"))}
    with contextlib.chdir(cwd):
        return CliRunner().invoke(app, words, env=unset)


@pytest.fixture(scope="module")
def better():
    """A schedule that beats the ring on a ring: both directions at once."""
    topology = build("ring", {"ranks": "4"})
    return dump_schedule(baselines.baseline("rings", "allgather", topology).normalised()).decode()


def test_a_model_is_asked_about_a_collective_until_the_bound_is_met(tmp_path, better):
    worse = json.dumps(json.loads(better) | {"steps": json.loads(better)["steps"][:-1]})
    script = [Say("Sure!"), Say(f"```json\n{worse}\n```"), Say(f"So:\n```json\n{better}\n```")]
    with ModelServer(script) as server:
        done = certune(
            *("optimize", *TASK, "--agent", "openai", "--base-url", server.url, "--model", "m"),
            *("-b", "attempts=9", "-p", "baseline=ring", "--json"),
            cwd=tmp_path,
        )
        prompts = [call.prompt for call in server.calls]
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [trial["outcome"] for trial in told["trials"]] == ["invalid", "refuted", "accepted"]
    assert told["stopped"] == "nothing-better"
    assert "lacks chunk" in prompts[2]  # the counterexample is in the next prompt
    certificate = next(tmp_path.rglob("certificate.json"))
    assert certune("check", str(certificate)).exit_code == 0


def test_a_permanent_fault_is_exit_3_with_the_reason_and_the_resume_command(tmp_path, better):
    script = [Fail(404, "The model `m` does not exist"), Say(better)]
    with ModelServer(script) as server:
        asked = ("--agent", "openai", "--base-url", server.url, "--model", "m", "-b", "attempts=9")
        done = certune("optimize", *TASK, "-p", "baseline=ring", *asked, cwd=tmp_path)
        assert done.exit_code == 3
        assert "The model `m` does not exist" in done.stdout
        resume = next(line for line in done.stdout.splitlines() if "certune resume" in line)
        words = resume.split("certune ", 1)[1].split()
        again = certune(*words, cwd=tmp_path)
    assert again.exit_code == 0, again.stderr
    assert "accepted" in again.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--agent", "openai"], "needs model"),
        (["--agent", "openai", "--model", "m"], "OPENAI_API_KEY"),
        (["--agent", "opnai"], "'openai'"),
        (["--agent", "search", "--model", "m"], "model"),
        (["--agent", "openai", "--model", "m", "--base-url", "localhost"], "http"),
        (
            ["--agent", "openai", "--model", "m", "--base-url", "http://h/v1", "-b", "money=1"],
            "price",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_recorded(tmp_path, words, told):
    done = certune("optimize", *TASK, *words, cwd=tmp_path)
    assert done.exit_code == 2
    assert told in done.stderr
    assert not list(tmp_path.iterdir())


def test_brief_shows_the_prompt_that_a_model_gets(tmp_path):
    shown = certune("brief", *TASK, cwd=tmp_path)
    assert shown.exit_code == 0
    assert "0 -> 1,3 (alpha" in shown.stdout
    assert not list(tmp_path.iterdir())
    told = json.loads(certune("brief", *TASK, "--json", cwd=tmp_path).stdout)
    with ModelServer([Say("no")]) as server:
        asked = ("--agent", "openai", "--base-url", server.url, "--model", "m", "-b", "attempts=1")
        certune("optimize", *TASK, *asked, cwd=tmp_path)
        assert server.calls[0].body["messages"] == told["messages"]
        sent = server.calls[0].body["response_format"]["json_schema"]["schema"]
        assert sent == told["strict_schema"]


def test_agents_are_compared_side_by_side(tmp_path, better):
    def script(call):
        return Say(better if call.body["seed"] % 2 else "I cannot")

    with ModelServer(script) as server:
        done = certune(
            *("compare", *TASK, "-p", "baseline=ring", "--agents", "random,best-of-n"),
            *("-b", "attempts=3", "--base-url", server.url, "--model", "m", "--runs", "4"),
            cwd=tmp_path,
        )
    assert done.exit_code == 0, done.stderr
    assert "best-of-n is better than random" in done.stdout
    assert "2.000" in done.stdout
    assert len(list((tmp_path / ".certune" / "compare").rglob("ledger*"))) >= 8


def test_comparisons_refuse_what_is_wrong_before_they_run(tmp_path):
    for words, told in (
        (["--agents", "random,openai"], "needs model"),
        (["--agents", "random", "-o", "sead=1"], "AGENT.key"),
        (["--agents", "random", "-o", "random.sead=1"], "seed"),
        (["--agents", "random,random"], "once"),
    ):
        done = certune("compare", *TASK, *words, "-b", "attempts=1", cwd=tmp_path)
        assert done.exit_code == 2
        assert told in done.stderr


def test_agents_lists_who_can_propose():
    done = certune("agents")
    for name in ("ask", "best-of-n", "evolve", "hybrid", "openai", "random", "replay", "search"):
        assert name in done.stdout

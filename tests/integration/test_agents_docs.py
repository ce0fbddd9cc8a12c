"""Every `certune` command of docs/agents.md runs, against the tests' own server."""

import contextlib
import os
import re
import threading
import time
from pathlib import Path

import pytest
from model_server import ModelServer, Say
from typer.testing import CliRunner

from certune.cli import app
from certune.tasks.collective import baselines
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import dump_schedule

PAGE = Path(__file__).parent.parent.parent / "docs" / "agents.md"


def commands():
    """The commands in the page's fenced blocks, each on one line."""
    text = PAGE.read_text(encoding="utf-8")
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S):
        if kind:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("certune "):
                yield " ".join(line.split())


@pytest.fixture(scope="module")
def best():
    schedule = baselines.baseline("rings", "allgather", build("dgx1", {}))
    return dump_schedule(schedule.normalised()).decode()


def run(line, folder, server):
    """A command as it stands but for the server's address and the files for runtimes."""
    words = re.sub(r"http://127\.0\.0\.1:\d+/v1", server.url, line).split()[1:]
    words += ["-p", "targets=none"]
    if words[0] == "compare":
        swaps = {"attempts=20": "attempts=2", "6": "2"}  # the search alone takes seconds
        words = [swaps.get(word, word) for word in words]
    kept = {name: None for name in os.environ if name.startswith(("OPENAI", "CERTUNE"))}
    kept |= {"OPENAI_API_KEY": "sk-of-the-tests", "OPENAI_BASE_URL": server.url}
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, words, env=kept)


def test_the_page_has_commands_for_every_agent():
    text = " ".join(commands())
    for name in ("openai", "best-of-n", "evolve", "hybrid", "ask", "replay", "random", "search"):
        assert name in text


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_of_the_page_runs(tmp_path, line, best):
    (tmp_path / "prices.toml").write_text('[models."gpt-5-mini"]\ninput = 1\noutput = 2\n')
    (tmp_path / "proposals.jsonl").write_text('{"payload": %s}\n' % best)  # noqa: UP031
    with ModelServer([Say(best)]) as server:
        if "session=" in line:
            run("certune optimize collective/allgather -p topology=dgx1 --agent replay "
                "-o file=proposals.jsonl", tmp_path, server)  # fmt: skip
            identity = next((tmp_path / ".certune" / "accepted").iterdir()).name
            line = re.sub(r"session=\S+", f"session={identity}", line) + " --incumbent baseline"
        if "--agent ask" in line:
            threading.Thread(target=answer, args=(tmp_path / "asks", best), daemon=True).start()
        done = run(line, tmp_path, server)
    assert done.exit_code == 0, done.output


def answer(folder, text):
    for _ in range(500):
        if (folder / "0001-prompt.md").exists():
            break
        time.sleep(0.02)
    (folder / "0001-answer.json").write_text(text)

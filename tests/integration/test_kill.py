"""A session killed at any moment resumes, and ends in the same accepted result."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import COMMAND, certune

JOB = ("optimize", "collective/allgather", "-p", "topology=dgx1", "--json")


def outcome(folder: Path) -> list[tuple[object, ...]]:
    shown = certune(folder, "show", "--json")
    assert shown.returncode == 0, shown.stderr
    return [
        (t["payload"], t["decision"] and t["decision"]["reason"], t["known"])
        for t in json.loads(shown.stdout)["trials"]
    ]


@pytest.mark.slow
def test_killed_at_fifty_random_moments_a_session_ends_the_same(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    began = time.monotonic()
    assert certune(whole, *JOB).returncode == 0
    lasted = time.monotonic() - began
    expected = outcome(whole)
    assert any(reason == "accepted" for _, reason, _ in expected)

    chance = random.Random(2)
    folder = tmp_path / "killed"
    folder.mkdir()
    kills = sessions = 0
    while kills < 50:
        shutil.rmtree(folder / ".certune", ignore_errors=True)
        sessions += 1
        arguments = JOB
        while True:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                process.wait(chance.uniform(0.2, lasted))
                assert process.returncode == 0
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
            if (folder / ".certune" / "ledger.sqlite3").exists():
                assert certune(folder, "ledger", "verify").returncode == 0
                if json.loads(certune(folder, "show", "--all", "--json").stdout):
                    arguments = ("resume", "--json")
        assert outcome(folder) == expected
        accepted = sorted((folder / ".certune" / "accepted").glob("*/*/certificate.json"))
        assert len(accepted) == sum(reason == "accepted" for _, reason, _ in expected)
        assert certune(folder, "check", str(accepted[-1])).returncode == 0
    assert kills >= 50

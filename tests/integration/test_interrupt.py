"""Ctrl-C finishes the record, says how to resume, and leaves no process behind."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import COMMAND, certune

# Nothing is found here for a long time: the queries are hard.
HARD = ("optimize", "collective/alltoall", "-p", "topology=torus2d", "-p", "rows=4")


def children(pid: int) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "ppid,pid,args"], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if line.split()[0] == str(pid)]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_stops_soon_and_says_how_to_resume(tmp_path: Path, sent: int) -> None:
    process = subprocess.Popen(
        [*COMMAND, *HARD],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed = certune(tmp_path, "show", "--all", "--json")
        if listed.returncode == 0 and json.loads(listed.stdout):
            break
        time.sleep(0.2)
    time.sleep(1)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "stopped on request" in out
    assert "certune resume" in out
    assert children(process.pid) == []
    assert certune(tmp_path, "ledger", "verify").returncode == 0
    shown = json.loads(certune(tmp_path, "show", "--json").stdout)
    assert shown["ended"]["reason"] == "asked"

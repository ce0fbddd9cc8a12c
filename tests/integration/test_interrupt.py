"""Ctrl-C finishes the record, says how to resume, and leaves no process behind."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import COMMAND, certune

# Exact synthesis asks one query after the other for many seconds.
HARD = ("optimize", "collective/broadcast", "-p", "topology=dgx1", "-p", "targets=none")


def children(parent: int) -> set[int]:
    """The processes whose parent this is, from /proc."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "status").read_text()
            except OSError:
                continue
            if f"\nPPid:\t{parent}\n" in status:
                found.add(int(entry.name))
    return found


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
    solving: set[int] = set()
    while time.monotonic() < deadline and not solving:
        solving = children(process.pid)
    assert solving  # a solver runs when the signal comes
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "stopped on request" in out
    assert "certune resume" in out
    assert not any(Path(f"/proc/{pid}").exists() for pid in solving)
    assert certune(tmp_path, "ledger", "verify").returncode == 0
    shown = json.loads(certune(tmp_path, "show", "--json").stdout)
    assert shown["ended"]["reason"] == "asked"

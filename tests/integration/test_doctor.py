"""`certune doctor`: what this machine can do, for people and for machines."""

import importlib.metadata
import json
import subprocess
import sys
from dataclasses import replace

import pytest
from command import certune
from machine_samples import CALM, FACTS, probed

from certune.cli import checkup
from certune.cli.checkup import Check
from certune.cli.doctor import lines
from certune.core.errors import Unavailable
from certune.environment import fingerprint
from certune.ledger import Ledger
from certune.sandbox.isolation import probe
from certune.sandbox.isolation.probe import Report, Standing
from certune.sandbox.machine import Finding, MachineReport
from certune.sandbox.model import Isolation


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doctor")
    done = certune(folder, "doctor", "--json")
    return folder, done, json.loads(done.stdout)


def test_everything_is_looked_at(told):
    _, done, report = told
    sections = list(dict.fromkeys(check["section"] for check in report["checks"]))
    expected = ["isolation", "machine", "toolchains", "solvers", "extras", "gpu", "ledger"]
    assert sections == expected
    assert done.returncode == (0 if report["ok"] else 1)
    assert report["ok"] == all(c["status"] not in ("missing", "trouble") for c in report["checks"])
    levels = {c["name"]: c["status"] for c in report["checks"] if c["section"] == "isolation"}
    found = {one.level.word: one.available for one in probe.available().standings}
    assert {name: status == "ok" for name, status in levels.items()} == found
    assert report["machine"]["figures"]["timer-floor"] > 0
    solvers = [check for check in report["checks"] if check["section"] == "solvers"]
    assert {check["status"] for check in solvers} == {"ok"}


def test_people_read_it_in_100_columns(tmp_path):
    done = certune(tmp_path, "doctor")
    assert done.returncode in (0, 1), done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "isolation" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_level_that_cannot_be_had_is_missing(monkeypatch):
    standings = (
        Standing(Isolation.PROCESS, True),
        Standing(Isolation.CONFINED, True),
        Standing(Isolation.CONTAINED, False, "no namespaces", "allow them"),
    )
    monkeypatch.setattr(probe, "available", lambda: Report(standings))
    assert [c.status for c in checkup.isolation(None)] == ["ok", "ok", "absent"]
    required = list(checkup.isolation(Isolation.CONTAINED))
    assert [c.status for c in required] == ["ok", "ok", "missing"]
    assert (required[2].detail, required[2].remedy) == ("no namespaces", "allow them")
    declared = list(checkup.isolation(Isolation.DECLARED))
    assert declared[-1].name == "declared"


def test_what_certune_needs_makes_it_fail(monkeypatch, tmp_path):
    monkeypatch.setattr(
        probe,
        "available",
        lambda: Report((Standing(Isolation.CONFINED, False, "no Landlock", "a newer kernel"),)),
    )
    assert [c.status for c in checkup.isolation(None)] == ["missing"]


@pytest.mark.parametrize(
    ("found", "statuses"),
    [
        ((), ["ok"]),
        ((Finding("noisy", "loud"),), ["advice", "advice"]),
        ((Finding("fit", "turbo is on"),), ["ok", "advice"]),
        ((Finding("broken", "wrong"),), ["missing", "missing"]),
    ],
)
def test_a_machine_that_is_busy_is_no_reason_to_fail_and_a_broken_one_is(found, statuses):
    report = MachineReport(FACTS, replace(CALM, load=1.5), probed(), found)
    checks = list(checkup.machine(report))
    assert [check.status for check in checks] == statuses
    assert "load 1.5" in checks[0].detail


def test_a_solver_that_is_wrong_or_gone_is_missing(monkeypatch):
    from certune.core.proof import Answer
    from certune.verifier.provers import Provers

    def wrong(self, query, *, seconds):
        if query.language == "dimacs":
            raise Unavailable("no module named pysat")
        return Answer("sat", "z3", "0", 0, 0.0)

    monkeypatch.setattr(Provers, "decide", wrong)
    first, second = checkup.solvers()
    assert (first.status, second.status) == ("missing", "missing")
    assert "pysat" in first.detail
    assert "answered 'sat'" in second.detail


def test_extras_are_looked_up_and_not_imported():
    script = (
        "import sys; from certune.cli import checkup; list(checkup.extras()); "
        "print([m for m in ('torch', 'ray', 'dspy', 'openai', 'mcp') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    found = {check.name: check for check in checkup.extras()}
    assert importlib.metadata.version("openai") in found["openai"].detail


def test_tools_that_hang_or_fail_are_absent(monkeypatch, tmp_path):
    for name, text in (("gcc", "sleep 60"), ("clang", "exit 1"), ("nvcc", "echo release 9.9")):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(checkup, "_PATIENCE", 0.3)
    found = {check.name: check for check in checkup.toolchains()}
    assert found["gcc"].status == found["clang"].status == "absent"
    assert (found["nvcc"].status, found["nvcc"].detail) == ("ok", "release 9.9")


def test_gpus_are_told_by_the_driver(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB, 570.1'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    (found,) = checkup.gpus()
    assert (found.status, found.detail) == ("ok", "NVIDIA H200, 143771 MiB, 570.1")
    tool.write_text("#!/bin/sh\nexit 9\n")
    (found,) = checkup.gpus()
    assert found.status == "absent"


def test_ledgers_whole_damaged_and_absent(tmp_path):
    assert [c.status for c in checkup.ledger(tmp_path)] == ["absent"]
    with Ledger.open(tmp_path):
        pass
    (whole,) = checkup.ledger(tmp_path)
    assert (whole.status, whole.detail) == ("ok", "0 records, all checked")
    (path,) = (tmp_path / ".certune").glob("ledger.sqlite3")
    path.write_bytes(b"no database" * 1000)
    (damaged,) = checkup.ledger(tmp_path)
    assert damaged.status == "trouble"
    done = certune(tmp_path, "doctor")
    assert done.returncode == 3
    assert "to mend" in done.stdout


def test_a_look_that_fails_hides_no_other():
    def looks():
        yield Check("here", "one", "ok", "fine")
        raise RuntimeError("boom")

    first, second = checkup.guarded_look("here", looks)
    assert first.status == "ok"
    assert second.status == "trouble"
    assert "boom" in second.detail


def test_hostile_names_cannot_leave_their_line():
    text = list(lines(fingerprint(), [Check("gpu", "gpu", "ok", "x\x1b[31m\ny" * 40, "r")]))
    assert max(map(len, text)) <= 100
    assert not any("\x1b" in line or "\n" in line for line in text)


def test_unknown_levels_are_refused(tmp_path):
    done = certune(tmp_path, "doctor", "--require-isolation", "contianed")
    assert done.returncode == 2
    assert "did you mean 'contained'?" in done.stderr

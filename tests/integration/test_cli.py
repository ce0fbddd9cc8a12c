"""The command line on the main job: optimize, check, show, resume, export."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import certune

from certune.signing import generate_key

JOB = ("optimize", "collective/allgather", "-p", "topology=dgx1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The README's first command, in an empty folder."""
    folder = tmp_path_factory.mktemp("job")
    generate_key(folder / "key")
    done = certune(folder, *JOB, "--json", "--sign", "key")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def best(report: dict) -> dict:
    return report["accepted"][-1]


def certificate(folder: Path, report: dict) -> Path:
    found = [path for path in best(report)["files"] if path.endswith("certificate.json")]
    return folder / found[0]


def test_the_main_job_reaches_the_proven_bound(finished) -> None:
    _, report = finished
    assert report["stopped"] == "nothing-better"
    assert report["incumbent"]["bandwidth"]["value"] == "1200/7"
    bounds = [b for b in report["bounds"] if b["metric"] == "bandwidth" and not b["scope"]]
    assert [b["value"] for b in bounds] == ["1200/7"]
    assert best(report)["status"] == "proved"
    assert best(report)["ground"] == "better-in-model"


def test_the_main_job_finds_the_known_frontier_points(finished) -> None:
    folder, report = finished
    shown = certune(folder, "show", report["session"], "--json")
    points = {
        tuple(int(t["measurement"]["values"][name]) for name in ("chunks", "steps", "rounds"))
        for t in json.loads(shown.stdout)["trials"]
        if t["measurement"]
    }
    assert (1, 2, 2) in points  # latency-optimal
    assert (6, 3, 7) in points  # bandwidth-optimal


def test_a_certificate_is_confirmed_from_its_files_alone(finished, tmp_path: Path) -> None:
    folder, report = finished
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(certificate(folder, report).parent, elsewhere)
    done = certune(
        tmp_path, "check", "elsewhere/certificate.json", "--expect-spec", report["spec"],
        "--expect-key", str(folder / "key.pub"), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["answer"] == "confirmed"
    subjects = {finding["subject"] for finding in answer["findings"]}
    assert {"postcondition", "links", "metrics", "decision", "schedule.json"} <= subjects
    assert any(subject.startswith("bound ") for subject in subjects)


def test_a_certificate_for_an_easier_spec_fails_the_pin(finished, tmp_path: Path) -> None:
    _, report = finished
    easier = certune(
        tmp_path, "optimize", "collective/allgather", "-p", "topology=dgx1",
        "-p", "objective=latency", "--json",
    )  # fmt: skip
    assert easier.returncode == 0, easier.stderr
    other = certificate(tmp_path, json.loads(easier.stdout))
    assert certune(tmp_path, "check", str(other)).returncode == 0
    done = certune(tmp_path, "check", str(other), "--expect-spec", report["spec"])
    assert done.returncode == 1
    assert "refuted" in done.stdout


def test_a_certificate_by_another_key_fails_the_pin(finished, tmp_path: Path) -> None:
    folder, report = finished
    key = tmp_path / "other"
    generate_key(key)
    path = str(certificate(folder, report))
    done = certune(tmp_path, "check", path, "--expect-key", str(key) + ".pub")
    assert done.returncode == 1


def test_an_edited_schedule_fails_the_check(finished, tmp_path: Path) -> None:
    folder, report = finished
    shutil.copytree(certificate(folder, report).parent, tmp_path / "copy")
    schedule = tmp_path / "copy" / "schedule.json"
    schedule.write_bytes(schedule.read_bytes().replace(b"[0,", b"[1,", 1))
    done = certune(tmp_path, "check", "copy/certificate.json")
    assert done.returncode == 2
    assert "schedule.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_run_has_nothing_better_to_find(finished) -> None:
    folder, _ = finished
    done = certune(folder, *JOB)
    assert done.returncode == 0
    assert "nothing better exists" in done.stdout


def test_a_session_can_be_shown_exported_and_its_chain_verified(finished) -> None:
    folder, report = finished
    shown = certune(folder, "show", report["session"])
    assert shown.returncode == 0
    assert "accepted" in shown.stdout
    one = certune(folder, "show", report["session"], "--trial", "1")
    assert "postcondition" in one.stdout
    lines = certune(folder, "export", report["session"]).stdout.splitlines()
    assert all(json.loads(line) for line in lines)
    verified = certune(folder, "ledger", "verify")
    assert verified.returncode == 0
    head = certune(folder, "ledger", "head").stdout.split()[1]
    assert head in verified.stdout


def test_lists_teach(tmp_path: Path) -> None:
    assert "collective/allgather" in certune(tmp_path, "tasks").stdout
    explained = certune(tmp_path, "tasks", "collective/allgather").stdout
    assert "topology" in explained
    assert "objective" in explained
    assert "search" in certune(tmp_path, "agents").stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("optimize", "collective/algather", "-p", "topology=dgx1"), "allgather"),
        (("optimize", "colective/allgather"), "collective"),
        (("optimize", "allgather"), "family/name"),
        (("optimize", "collective/allgather"), "topology"),
        (("optimize", "collective/allgather", "-p", "topology=dgx2x"), "dgx1"),
        (("optimize", "collective/allgather", "-p", "topolgy=dgx1"), "topology"),
        ((*JOB, "-p", "objective=speed"), "bandwidth"),
        (("optimize", "collective/allgather", "-p", "topology=no/such.json"), "no/such.json"),
        (("optimize", "collective/broadcast", "-p", "topology=dgx1", "-p", "root=8"), "0 to 7"),
        ((*JOB, "--budget", "atempts=3"), "attempts"),
        ((*JOB, "--budget", "attempts=-3"), "-3"),
        ((*JOB, "--agent", "serch"), "search"),
        ((*JOB, "-o", "seed=1"), "seed"),
        ((*JOB, "--incumbent", "missing.json"), "missing.json"),
        ((*JOB, "--sign", "missing.key"), "missing.key"),
        (("show",), "ledger"),
        (("resume", "x"), "ledger"),
        (("check", "missing.json"), "missing.json"),
        (("tasks", "collective/algather"), "allgather"),
        (("verify", "collective/allgather", "missing.json", "-p", "topology=dgx1"), "missing.json"),
    ],
)  # fmt: skip
def test_wrong_usage_says_what_and_what_to_do(tmp_path: Path, arguments, named: str) -> None:
    done = certune(tmp_path, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".certune").exists()


def test_verify_judges_a_file_against_a_task(finished, tmp_path: Path) -> None:
    folder, report = finished
    schedule = next(path for path in best(report)["files"] if path.endswith("schedule.json"))
    right = certune(
        folder, "verify", "collective/allgather", schedule, "-p", "topology=dgx1"
    )  # fmt: skip
    assert right.returncode == 0
    assert "proved" in right.stdout
    assert "gap 0 %" in right.stdout
    data = json.loads((folder / schedule).read_bytes())
    dropped = data["steps"][0]["copy"].pop()
    (tmp_path / "wrong.json").write_text(json.dumps(data))
    wrong = certune(tmp_path, "verify", "collective/allgather", "wrong.json", "-p", "topology=dgx1")
    assert wrong.returncode == 1
    assert "refuted" in wrong.stdout
    assert f"chunk {dropped[2]}" in wrong.stdout


def test_help_is_instant_and_loads_no_solver() -> None:
    code = (
        "import sys, certune.cli\n"
        "heavy = {'numpy', 'z3', 'pysat', 'networkx', 'dspy', 'openai', 'cryptography'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

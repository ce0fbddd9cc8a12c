"""Probes, the record on disk, and validation of the machine that the tests run on."""

import os
import subprocess
import sys

import numpy as np
import pytest
from machine_samples import CALM

from certune.sandbox.machine import facts, probes, validate, validation
from certune.sandbox.machine import record as records
from certune.sandbox.machine.judgement import Tolerance
from certune.sandbox.machine.shapes import SHARES

ANY = Tolerance(steal=1, detoured=1, scheduled=0, spread=1e9, wall_spread=1e9, fading=1e9)


def test_the_compute_probe_knows_its_result():
    wall, cpu, scheduled, correct = probes.compute(5)
    assert correct
    assert len(wall.values) == len(cpu.values) == 5
    assert min(wall.values) > 0
    assert scheduled > 0
    step = np.arange(3, dtype=np.uint64)
    for _ in range(7):
        step = step * np.uint64(probes._MULTIPLIER) + np.uint64(probes._INCREMENT)
    assert np.array_equal(step, probes._jumped(np.arange(3, dtype=np.uint64), 7))


def test_a_wrong_result_is_noticed(monkeypatch):
    wrong = probes._jumped(np.arange(probes._WORDS, dtype=np.uint64), probes._ROUNDS)
    wrong[-1] ^= np.uint64(1)
    monkeypatch.setattr(probes, "_jumped", lambda start, rounds: wrong)
    assert not probes.compute(2)[3]


def test_the_chain_of_loads_visits_every_entry():
    entries = 2**10
    place, seen = 0, set()
    for _ in range(entries):
        seen.add(place)
        place = (place * 1664525 + 1013904223) & (entries - 1)
    assert len(seen) == entries
    assert place == 0
    assert min(probes.latency(2**14, 3).values) > 0


def test_timer_and_detours():
    floor, step = probes.timer(500)
    assert 0 < step <= floor < 1e-3
    share, longest = probes.detours(0.01)
    assert 0 <= share <= 1
    assert longest < 5


@pytest.fixture
def _calm(monkeypatch):
    """Without what the kernel counted, which is the test machine's own affair."""
    monkeypatch.setattr(validation, "pressure", lambda before, after: CALM)


@pytest.mark.usefixtures("_calm")
def test_a_machine_is_validated_and_remembered(tmp_path):
    before = os.sched_getaffinity(0)
    report = validate(folder=tmp_path, attempts=1, tolerance=ANY)
    assert report.fit, report.sentence()
    assert os.sched_getaffinity(0) == before
    assert report.compared == 0
    path = records.record_path(report.facts, tmp_path)
    (shapes,) = records.read(path, report.facts)
    assert set(shapes) == {"compute", "compute-cpu", "bandwidth", "latency", "wake-up"}
    again = validate(folder=tmp_path, attempts=1, quick=True, tolerance=ANY)
    assert again.compared == 1
    assert len(records.read(path, report.facts)) == 1  # a quick look is not recorded
    assert records.forget(tmp_path) == 1
    assert records.forget(tmp_path) == 0


def test_what_is_not_fit_is_tried_again_and_not_remembered(tmp_path):
    never = Tolerance(scheduled=2.0)
    report = validate(folder=tmp_path, attempts=2, quick=True, tolerance=never)
    assert report.state == "overcommitted"
    assert report.attempts == 2
    assert list(tmp_path.iterdir()) == []


def test_a_busy_cpu_is_said_to_be_so(tmp_path):
    cpu = max(os.sched_getaffinity(0))
    script = f"import os; os.sched_setaffinity(0, {{{cpu}}}); print(flush=True)\nwhile True: pass"
    busy = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        busy.stdout.readline()
        report = validate(cpu=cpu, folder=tmp_path, attempts=1, remember=False)
    finally:
        busy.kill()
        busy.communicate()
    assert not report.fit
    assert any(f.state == "overcommitted" for f in report.findings)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"format":"certune-machine/1","machine":"sha256:0","shapes":[]}',
        b'{"format":"certune-machine/1","machine":1,"shapes":[]}',
        b"[" * 10000,
        b" " * (2**20 + 1),
    ],
)
def test_a_damaged_record_counts_as_none(tmp_path, data):
    found = facts()
    path = records.record_path(found, tmp_path)
    path.write_bytes(data)
    assert records.read(path, found) == ()


def test_records_are_bounded_and_of_one_machine(tmp_path):
    found = facts()
    path = records.record_path(found, tmp_path)
    shapes = [{"compute": tuple(float(i) for _ in SHARES)} for i in range(30)]
    assert records.write(path, found, shapes)
    kept = records.read(path, found)
    assert len(kept) == 20
    assert kept[-1]["compute"][0] == 29.0
    other = facts(tmp_path)
    assert records.machine_key(other) != records.machine_key(found)
    assert records.read(path, other) == ()


def test_a_user_without_a_home_has_no_record(monkeypatch):
    def homeless():
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(records.Path, "home", homeless)
    found = facts()
    path = records.record_path(found)
    assert records.read(path, found) == ()
    assert not records.write(path, found, ())
    assert records.forget() == 0
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert str(records.record_path(found)).startswith("/somewhere/certune/machine-")


@pytest.mark.usefixtures("_calm")
def test_a_folder_that_cannot_be_written_costs_the_record_alone(tmp_path):
    (tmp_path / "file").write_text("")
    report = validate(folder=tmp_path / "file", attempts=1, tolerance=ANY)
    assert report.fit

"""Killed at any moment, out of space, several at once: what was acknowledged is there."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ledger_writer import SPEC, payload, trial

from certune.core.budget import Budget
from certune.core.canonical import sha256
from certune.core.errors import LedgerBusy, LedgerFull
from certune.ledger import Ledger, database

WRITER = Path(__file__).with_name("ledger_writer.py")


def start(folder, session, count, *more):
    command = [sys.executable, WRITER, folder, session, count, *more]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)


def acknowledged(process):
    """The numbers that a writer said to be recorded; the last line may be cut by its death."""
    text = process.communicate()[0]
    return [int(line) for line in text[: text.rfind("\n") + 1].split()]


def holds(folder, session, numbers):
    """Every acknowledged trial is in the ledger, which is whole; how many there are."""
    with Ledger.open(folder, create=False) as ledger:
        ledger.verify()
        found = [one.number for one in ledger.trials(session)]
        assert found == list(range(1, len(found) + 1))
        assert set(numbers) <= set(found)
        issued = ledger.certificates(session)
        # A trial and its certificate are one transaction.
        assert [number for number, _ in issued] == found
        for number, certificate in issued[-3:]:
            assert certificate == b"certificate of " + payload(session, number)
            assert ledger.blob(sha256(payload(session, number))) == payload(session, number)
        return len(found)


def kill_often(folder, times, seed):
    generator = random.Random(seed)
    told: list[int] = []
    for _ in range(times):
        process = start(folder, "s1", 10_000)
        # Once it is at work, kill it within a handful of transactions, often inside one.
        line = process.stdout.readline()
        time.sleep(generator.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        told += [int(line), *acknowledged(process)]
    count = holds(folder, "s1", told)
    assert len(told) <= count <= len(told) + times  # at most one each was not told in time
    assert count >= times


def test_killed_while_writing(tmp_path):
    kill_often(tmp_path, 8, seed=1)


@pytest.mark.slow
def test_killed_while_writing_many_times(tmp_path):
    kill_often(tmp_path, 150, seed=2)


def test_killed_while_the_ledger_is_made(tmp_path):
    generator = random.Random(3)
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = start(folder, "s1", 3)
        while not (folder / ".certune").exists() and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(generator.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        told = acknowledged(process)
        with Ledger.open(folder) as ledger:  # whole or not there, never half
            ledger.verify()
            assert all(n in [t.number for t in ledger.trials("s1")] for n in told)


def test_a_file_size_limit_is_a_full_ledger(tmp_path):
    process = start(tmp_path, "s1", 10_000, 600_000)
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 0
    *told, error, after = lines
    assert error.startswith("LedgerFull ")
    assert "every earlier record is kept" in error
    # Usable at once, by the same object: it verified, and could record the session's end.
    assert after.split()[:2] == ["after", str(len(told))]
    assert len(told) > 5
    assert holds(tmp_path, "s1", map(int, told)) == len(told)
    assert acknowledged(start(tmp_path, "s1", 5)) == list(range(len(told) + 1, len(told) + 6))
    holds(tmp_path, "s1", [])


def fill(ledger):
    """Record until the ledger is full; the number of the trial that had no room."""
    for number in range(1, 1000):
        try:
            ledger.record_trial(trial("s1", number), blobs=[payload("s1", number)])
        except LedgerFull as error:
            assert "free some space and resume" in str(error)  # noqa: PT017
            return number
    raise AssertionError("it was never full")


def test_no_page_left_in_the_database(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        ledger.start("s1", SPEC, "x", {}, Budget())
        ledger._connection.execute("PRAGMA max_page_count=60")
        last = fill(ledger)
        assert ledger.verify().seq == last
        ledger._connection.execute("PRAGMA max_page_count=100000")
        ledger.record_trial(trial("s1", last), blobs=[payload("s1", last)])
        assert ledger.verify().seq == last + 1


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by root alone")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_a_full_ledger(tmp_path):
    with small_disk(tmp_path, "1m"):
        with Ledger.open(tmp_path) as ledger:
            ledger.start("s1", SPEC, "x", {}, Budget())
            ballast = tmp_path / "ballast"
            ballast.write_bytes(b"x" * 100_000)
            last = fill(ledger)
            assert last > 5
            assert len(ledger.trials("s1")) == last - 1
            assert ledger.verify().seq == last
            ballast.unlink()
            ledger.record_trial(trial("s1", last), blobs=[payload("s1", last)])
        with Ledger.open(tmp_path, create=False) as ledger:
            assert ledger.verify().seq == last + 1


def test_several_processes_and_a_reader_on_one_folder(tmp_path):
    Ledger.open(tmp_path).close()
    writers = {f"s{n}": start(tmp_path, f"s{n}", 40) for n in range(3)}
    seen = 0
    with Ledger.open(tmp_path, read_only=True) as reader:
        while any(process.poll() is None for process in writers.values()):
            head = reader.verify()
            assert head.seq >= seen
            seen = head.seq
            for record in reader.sessions():
                # Taken one after the other, so the second may have seen more.
                assert record.trials <= len(reader.trials(record.id))
            time.sleep(0.02)
    for session, process in writers.items():
        assert acknowledged(process) == list(range(1, 41))
        assert holds(tmp_path, session, range(1, 41)) == 40
    with Ledger.open(tmp_path) as ledger:
        # Each session is one record, and 40 trials with a certificate each.
        assert ledger.verify().seq == 3 * 81


def test_two_processes_in_one_session_collide_clearly(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        ledger.start("s1", SPEC, "x", {}, Budget())
    told, errors = [], 0
    for process in [start(tmp_path, "s1", 200), start(tmp_path, "s1", 200)]:
        for line in process.communicate()[0].splitlines():
            if line.startswith("LedgerBusy"):
                assert "another process runs this session" in line
                errors += 1
            elif not line.startswith("after"):
                told.append(int(line))
    # Started together, both count from the same trial on unless one was done before the other
    # began; either way no number was acknowledged twice.
    assert len(told) == len(set(told))
    assert errors == 1 or len(told) == 400
    holds(tmp_path, "s1", told)


def test_a_lock_that_is_held_too_long_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    with Ledger.open(tmp_path) as holder, Ledger.open(tmp_path) as other:
        holder._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusy, match="held the write lock for too long"):
            other.start("s1", SPEC, "x", {}, Budget())
        assert other.sessions() == []  # reading goes on
        holder._connection.execute("ROLLBACK")
        other.start("s1", SPEC, "x", {}, Budget())
        assert other.verify().seq == 1

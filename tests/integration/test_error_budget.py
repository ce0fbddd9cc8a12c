"""Error shares under kills and several sessions at once: none is had twice or regained."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from ledger_writer import SPEC

from certune.ledger import DEFAULT_ERROR, Ledger

SPENDER = Path(__file__).with_name("error_spender.py")


def start(folder, session, count):
    command = [sys.executable, SPENDER, folder, session, count]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)


def told(text):
    """The shares that a spender said; the last line may be cut by its death."""
    lines = text[: text.rfind("\n") + 1].split("\n")[:-1]
    return {int(line.split()[0]): float(line.split()[1]) for line in lines}


def test_killed_at_any_moment_nothing_is_regained(tmp_path):
    generator = random.Random(5)
    given: dict[int, float] = {}
    for _ in range(5):
        process = start(tmp_path, "s1", 10_000)
        first = process.stdout.readline()
        time.sleep(generator.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        found = told(first + process.communicate()[0])
        assert not found.keys() & given.keys()
        given |= found
    with Ledger.open(tmp_path, create=False) as ledger:
        ledger.verify()
        spent = {one.number: one.error for one in ledger.errors(SPEC.digest)}
    assert given.items() <= spent.items()
    assert list(spent) == list(range(1, len(spent) + 1))
    assert sum(spent.values()) < DEFAULT_ERROR


def test_sessions_at_the_same_time_share_one_budget(tmp_path):
    Ledger.open(tmp_path).close()
    found = [told(process.communicate()[0]) for process in
             [start(tmp_path, f"s{n}", 25) for n in range(3)]]  # fmt: skip
    numbers = [number for one in found for number in one]
    assert sorted(numbers) == list(range(1, 76))
    assert sum(sum(one.values()) for one in found) < DEFAULT_ERROR

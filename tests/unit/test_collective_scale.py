"""The largest sizes that are promised, in time and memory."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, time
from certune.tasks.collective.baselines import baseline
from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import dump_schedule, parse_schedule
data = dump_schedule(baseline("ring", "allreduce", build("ring", {"ranks": "1024"})))
began = time.process_time()
schedule = parse_schedule(data)
assert verify(schedule) is None
print(schedule.sends, time.process_time() - began)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_ring_allreduce_of_1024_ranks_in_ten_seconds_and_two_gigabytes():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=600
    )
    first, peak = done.stdout.splitlines()
    sends, seconds = first.split()
    assert int(sends) == 2 * 1023 * 1024
    assert float(seconds) < 10
    assert int(peak) < 2 * 10**9

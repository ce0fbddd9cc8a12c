"""Parse, verify and cost the ring allreduce of 64 to 1,024 ranks (2.1 million sends).

    python benchmarks/verify_native.py [RANKS ...]

Each size runs in a process of its own, so that its peak memory is its own. Times are CPU
seconds of one core; the limit that is watched is 10 s and 2 GB for parsing and verifying the
largest.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SIZES = (64, 128, 256, 512, 1024)


def run(ranks: int) -> None:
    from certune.tasks.collective import cost
    from certune.tasks.collective.baselines import baseline
    from certune.tasks.collective.dataflow import links_exist, verify
    from certune.tasks.collective.library import build
    from certune.tasks.collective.schedule import dump_schedule, parse_schedule

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def timed(work: Callable[[], Any]) -> tuple[Any, float]:
        began = time.process_time()
        result = work()
        return result, time.process_time() - began

    topology = build("ring", {"ranks": str(ranks)})
    schedule, built = timed(lambda: baseline("ring", "allreduce", topology))
    data, written = timed(lambda: dump_schedule(schedule))
    schedule, parsed = timed(lambda: parse_schedule(data))
    found, verified = timed(lambda: links_exist(schedule, topology) or verify(schedule))
    assert found is None
    memory = peak()
    profile, costed = timed(lambda: cost.profile(schedule, topology))
    assert profile.rounds == 2 * ranks - 2
    print(
        f"{ranks:5} {schedule.sends:9} {len(data) / 2**20:7.1f} {built:6.2f} {written:6.2f} "
        f"{parsed:6.2f} {verified:7.2f} {costed:6.2f} {schedule.sends / verified:11.0f} "
        f"{schedule.sends / (parsed + verified):11.0f} {memory:6.0f}",
        flush=True,
    )


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        run(int(sys.argv[2]))
        return
    print(
        "ranks     sends     MiB  build  write  parse  verify   cost  verified/s   in all/s   peak"
    )
    for ranks in map(int, sys.argv[1:] or map(str, SIZES)):
        subprocess.run([sys.executable, __file__, "--one", str(ranks)], check=True)


if __name__ == "__main__":
    main()

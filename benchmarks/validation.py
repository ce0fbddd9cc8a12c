"""How validation judges this machine under busy loops: states, time, what was seen.

    python benchmarks/validation.py [--repeat 20]

Runs 0, 1, 2 and 4 busy loops beside it and prints a table. Nothing is recorded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from statistics import median

from certune.sandbox.machine import validate

LOOP = "while True: pass"


def row(loops: int, repeat: int) -> str:
    busy = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(loops)]
    try:
        time.sleep(0.5)
        began = time.monotonic()
        reports = [validate(attempts=1, remember=False) for _ in range(repeat)]
        seconds = (time.monotonic() - began) / repeat
    finally:
        for process in busy:
            process.kill()
            process.wait()
    states = Counter(report.state for report in reports)
    told = ", ".join(f"{state} {count}" for state, count in sorted(states.items()))
    scheduled = median(report.probed.scheduled for report in reports)
    detoured = median(report.probed.detoured for report in reports)
    others = median(report.pressure.others for report in reports)
    return (
        f"| {loops} | {told} | {100 * scheduled:.0f} % | {100 * detoured:.1f} % | "
        f"{100 * others:.0f} % | {seconds:.2f} s |"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeat", type=int, default=20)
    repeat = options.parse_args().repeat
    print("| busy loops | states | scheduled | detoured | others used | time |")
    print("|---|---|---|---|---|---|")
    for loops in (0, 1, 2, 4):
        print(row(loops, repeat), flush=True)


if __name__ == "__main__":
    main()

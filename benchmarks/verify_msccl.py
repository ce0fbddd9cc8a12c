"""Figures of MSCCL XML: time against steps, ranks and chunks.

``python benchmarks/verify_msccl.py [FILE …]`` measures ring allreduces of growing size (built,
lowered, verified, written, read back) and the files given. CPU seconds of one process; the last
line of each row is memory at its peak so far.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

from certune.tasks.collective.collective import Collective
from certune.tasks.collective.msccl.lower import lower
from certune.tasks.collective.msccl.read import read
from certune.tasks.collective.msccl.verify import verify
from certune.tasks.collective.msccl.write import write
from certune.tasks.collective.schedule import Schedule

READ_BACK = 300_000_000


def ring(ranks: int, share: int = 1) -> Schedule:
    """The ring allreduce of `ranks` ranks and `ranks * share` pieces."""
    step = np.repeat(np.arange(2 * ranks - 2), ranks * share)
    rank = np.tile(np.repeat(np.arange(ranks), share), 2 * ranks - 2)
    piece = np.tile(np.arange(share), (2 * ranks - 2) * ranks)
    return Schedule(
        Collective("allreduce", ranks, ranks * share),
        2 * ranks - 2,
        step,
        rank,
        (rank + 1) % ranks,
        (rank - step) % ranks * share + piece,
        step < ranks - 1,
    )


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def rings() -> None:
    print("ranks  pieces     sends     steps  build  lower verify  write   read  "
          "steps/s verified  peak GiB")  # fmt: skip
    for ranks, share in ((8, 1), (8, 16), (32, 1), (32, 8), (128, 1), (512, 1), (1024, 1)):
        clock = [time.process_time()]
        schedule = ring(ranks, share)
        clock.append(time.process_time())
        program = lower(schedule, "microsoft", in_place=True)
        clock.append(time.process_time())
        report = verify(program)
        clock.append(time.process_time())
        data = write(program, "microsoft")
        clock.append(time.process_time())
        size, steps = schedule.sends, program.steps
        assert report.status.value == "proved"
        del report, program, schedule
        again = read(data, limit=READ_BACK)
        clock.append(time.process_time())
        assert again.steps == steps
        del again
        spent = np.diff(clock)
        print(
            f"{ranks:5d} {ranks * share:7d} {size:9d} {steps:9d} "
            + " ".join(f"{seconds:6.2f}" for seconds in spent)
            + f" {steps / spent[2]:17.0f} {peak():9.2f}",
            flush=True,
        )


def files(names: list[str]) -> None:
    print("steps   read ms  verify ms  steps/s verified  status    file")
    for name in names:
        data = Path(name).read_bytes()
        begin = time.process_time()
        program = read(data)
        middle = time.process_time()
        report = verify(program)
        end = time.process_time()
        print(
            f"{program.steps:6d} {1e3 * (middle - begin):8.1f} {1e3 * (end - middle):9.1f}"
            f" {program.steps / (end - middle):17.0f}  {report.status.value:8s} {name}"
        )


if __name__ == "__main__":
    if sys.argv[1:]:
        files(sys.argv[1:])
    else:
        rings()

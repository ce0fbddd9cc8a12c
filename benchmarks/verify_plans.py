"""Figures of MSCCL++ plans: time against operations, ranks and protocols.

``python benchmarks/verify_plans.py [FILE …]`` measures plans that are written from schedules of the
library (lowered, written, read, verified, lifted back), or reads and verifies the files given. CPU
seconds of one process, the best of a few runs for small plans.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from certune.tasks.collective import baselines, library
from certune.tasks.collective.mscclpp.lift import lift
from certune.tasks.collective.mscclpp.lower import lower
from certune.tasks.collective.mscclpp.read import read_plan
from certune.tasks.collective.mscclpp.verify import check_plan
from certune.tasks.collective.mscclpp.write import dump_plan

T = TypeVar("T")

# Collective, algorithm, topology, ranks, thread blocks that share an operation, protocol.
CASES = (
    ("alltoall", "direct", "full", 8, 1, "Simple"),
    ("allreduce", "direct", "full", 8, 1, "LL"),
    ("allreduce", "ring", "ring", 8, 1, "Simple"),
    ("allreduce", "ring", "ring", 16, 1, "Simple"),
    ("allreduce", "ring", "ring", 16, 1, "LL"),
    ("allreduce", "ring", "ring", 16, 8, "Simple"),
    ("allreduce", "direct", "full", 32, 1, "Simple"),
    ("alltoall", "direct", "full", 64, 1, "Simple"),
    ("allreduce", "ring", "ring", 64, 1, "Simple"),
    ("allreduce", "ring", "ring", 64, 1, "LL"),
    ("allgather", "ring", "ring", 128, 1, "Simple"),
    ("allreduce", "ring", "ring", 64, 4, "Simple"),
)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The result and its CPU seconds: the best of at most five runs within a second."""
    best, spent = float("inf"), 0.0
    for _ in range(5):
        begin = time.process_time()
        result = work()
        seconds = time.process_time() - begin
        best, spent = min(best, seconds), spent + seconds
        if spent > 1:
            break
    return result, best


def written() -> None:
    print(
        "collective algorithm ranks blocks protocol   sends operations   lower   write    read"
        "  verify    lift  operations/s verified"
    )
    for kind, name, topology, ranks, blocks, protocol in CASES:
        schedule = baselines.baseline(name, kind, library.build(topology, {"ranks": str(ranks)}))
        plan, lowered = timed(
            lambda s=schedule, b=blocks, p=protocol: lower(s, threadblocks=b, protocol=p)
        )
        data, dumped = timed(lambda p=plan: dump_plan(p))
        again, parsed = timed(lambda d=data: read_plan(d))
        report, checked = timed(lambda p=again: check_plan(p))
        assert report.verdict.met
        lifted, raised = timed(lambda p=again: lift(p))
        assert lifted.sends == schedule.sends
        print(
            f"{kind:10s} {name:9s} {ranks:5d} {blocks:6d} {protocol:8s} {schedule.sends:7d} "
            f"{plan.operations:10d} {lowered:7.3f} {dumped:7.3f} {parsed:7.3f} {checked:7.3f} "
            f"{raised:7.3f} {plan.operations / checked:22.0f}",
            flush=True,
        )


def files(names: list[str]) -> None:
    print("operations   read ms  verify ms  status    file")
    for name in names:
        data = Path(name).read_bytes()
        plan, parsed = timed(lambda d=data: read_plan(d))
        report, checked = timed(lambda p=plan: check_plan(p))
        print(
            f"{plan.operations:10d} {1e3 * parsed:9.2f} {1e3 * checked:10.2f}  "
            f"{report.verdict.status.value:8s}  {name}"
        )


if __name__ == "__main__":
    if sys.argv[1:]:
        files(sys.argv[1:])
    else:
        written()

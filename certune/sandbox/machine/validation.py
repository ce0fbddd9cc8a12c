"""Proactive validation: probe the machine before measuring on it, and say whether it is fit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from certune.sandbox.machine import record as records
from certune.sandbox.machine.counters import counters, pressure
from certune.sandbox.machine.description import Facts, facts
from certune.sandbox.machine.judgement import Tolerance, findings
from certune.sandbox.machine.probes import probe
from certune.sandbox.machine.report import MachineReport
from certune.sandbox.machine.shapes import Shape, shapes_of


def validate(
    *,
    cpu: int | None = None,
    cpus: Iterable[int] | None = None,
    quick: bool = False,
    attempts: int = 2,
    folder: Path | None = None,
    remember: bool = True,
    tolerance: Tolerance | None = None,
) -> MachineReport:
    """Validate this machine for measuring, in about 0.5 s (quick: 0.3 s) an attempt.

    The calling thread is pinned to `cpu` (the last core that it may use, unless told) and set
    free again. `cpus` are those whose other work counts; by default all that this process may
    use. A machine that is not fit is tried again, at most `attempts` times, since what
    disturbs is often short. A fit result is compared with this machine's record in `folder`
    and, with `remember`, added to it.

    Call it with nothing else running in the process: other threads count as noise.
    """
    found = facts(cpus=cpus)
    chosen = _chosen(found, cpu)
    path = records.record_path(found, folder)
    earlier = records.read(path, found)
    tried = 1
    report = _once(found, chosen, quick, earlier, tolerance)
    while tried < attempts and not report.fit and report.state != "broken":
        tried += 1
        report = _once(found, chosen, quick, earlier, tolerance)
    report = replace(report, compared=len(earlier), attempts=tried)
    # A quick look has fewer values; its shapes would widen the record without need.
    if report.fit and remember and not quick:
        records.write(path, found, (*earlier, shapes_of(report.probed.series)))
    return report


def _chosen(found: Facts, cpu: int | None) -> int | None:
    if cpu is not None:
        return cpu
    return found.cores[-1].cpus[0] if found.cores else None


def _once(
    found: Facts,
    cpu: int | None,
    quick: bool,
    earlier: Sequence[Mapping[str, Shape]],
    tolerance: Tolerance | None,
) -> MachineReport:
    with _pinned(cpu):
        before = counters(found.cpus)
        probed = probe(
            quick=quick,
            last_cache_bytes=found.last_cache_bytes,
            memory_bytes=found.memory_bytes,
        )
        pressed = pressure(before, counters(found.cpus))
    judged = findings(found, pressed, probed, earlier, tolerance)
    return MachineReport(found, pressed, probed, judged)


@contextmanager
def _pinned(cpu: int | None) -> Iterator[None]:
    """The calling thread on one CPU, where the system can do that."""
    if cpu is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:  # a CPU that was taken away meanwhile
        yield
        return
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

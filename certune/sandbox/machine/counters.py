"""What the kernel counted while something ran: steal, other work, throttling, pressure."""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from certune.sandbox.machine.description import Tree, groups


@dataclass(frozen=True)
class Counters:
    """Counts at one moment, all growing: seconds of CPU time over `cpus`, events.

    `busy` and `stolen` are summed over the CPUs asked for, `own` is the CPU time of this process
    and its ended children, `throttled` what the control group held back, `waiting` the time in
    which some process waited for a CPU (pressure stall information).
    """

    wall: float
    cpus: int
    busy: float
    stolen: float
    own: float
    throttled: float
    waiting: float | None
    thermal: int
    switches: int


@dataclass(frozen=True)
class Pressure:
    """What stood in the way between two moments; shares are of the CPUs' time, 0 to 1.

    `others` is the share that other processes ran for, `steal` what the hypervisor took away,
    `waiting` the share of the time in which some process waited for a CPU. `throttled` is in
    seconds; `thermal` counts throttling events of the hardware, `switches` the times that this
    process was preempted; `load` is the load average over a minute.
    """

    seconds: float
    others: float
    steal: float
    throttled: float
    waiting: float | None
    thermal: int
    switches: int
    load: float | None


def counters(cpus: Sequence[int], root: Path = Path("/")) -> Counters:
    """The counts of now for these CPUs."""
    tree = Tree(root)
    ticks = os.sysconf("SC_CLK_TCK")
    busy = stolen = 0
    for line in tree.text("proc/stat", 2**20).splitlines():
        words = line.split()
        found = re.fullmatch(r"cpu(\d+)", words[0]) if words else None
        if found is None or int(found[1]) not in cpus or len(words) < 9:
            continue
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(w) for w in words[1:9])
        busy += user + nice + system + irq + softirq
        stolen += steal
    waiting = re.search(r"^some .*total=(\d+)", tree.text("proc/pressure/cpu"), re.MULTILINE)
    own = time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    return Counters(
        wall=time.monotonic(),
        cpus=max(1, len(cpus)),
        busy=busy / ticks,
        stolen=stolen / ticks,
        own=own,
        throttled=_throttled(tree),
        waiting=int(waiting[1]) / 1e6 if waiting else None,
        thermal=_thermal(tree, cpus),
        switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
    )


def pressure(before: Counters, after: Counters) -> Pressure:
    """What happened between two moments."""
    seconds = max(after.wall - before.wall, 1e-9)
    capacity = seconds * after.cpus

    def share(amount: float) -> float:
        return min(1.0, max(0.0, amount / capacity))

    waiting = None
    if before.waiting is not None and after.waiting is not None:
        waiting = min(1.0, max(0.0, (after.waiting - before.waiting) / seconds))
    try:
        load: float | None = os.getloadavg()[0]
    except OSError:
        load = None
    return Pressure(
        seconds=seconds,
        others=share((after.busy - before.busy) - (after.own - before.own)),
        steal=share(after.stolen - before.stolen),
        throttled=max(0.0, after.throttled - before.throttled),
        waiting=waiting,
        thermal=max(0, after.thermal - before.thermal),
        switches=max(0, after.switches - before.switches),
        load=load,
    )


def _throttled(tree: Tree) -> float:
    """Seconds for which control groups held their processes back."""
    most = 0.0
    for folder in groups(tree):
        text = tree.text(f"{folder}/cpu.stat")
        for name, unit in (("throttled_usec", 1e6), ("throttled_time", 1e9)):
            found = re.search(rf"^{name} (\d+)", text, re.MULTILINE)
            if found:
                most = max(most, int(found[1]) / unit)
    return most


def _thermal(tree: Tree, cpus: Sequence[int]) -> int:
    count = 0
    for cpu in cpus:
        folder = f"sys/devices/system/cpu/cpu{cpu}/thermal_throttle"
        count += int(tree.number(f"{folder}/core_throttle_count") or 0)
    return count

"""From what was seen to what it makes of the machine; no clock and no file is looked at here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from certune.sandbox.machine.counters import Pressure
from certune.sandbox.machine.description import Facts
from certune.sandbox.machine.probes import Probed
from certune.sandbox.machine.report import Finding
from certune.sandbox.machine.shapes import Shape, medoid, shapes_of, worse


def _apart() -> Mapping[str, float]:
    return {"compute": 0.15, "compute-cpu": 0.10, "bandwidth": 0.35, "latency": 0.50}


@dataclass(frozen=True)
class Tolerance:
    """How much is still fit; shares from 0 to 1.

    `spread` is how far the 95th percentile of the compute probe may lie above its median, in
    CPU time; `wall_spread` the same in wall time. `slower` says by how much a series may be
    worse than it was before on this machine; what it does not name is not held against it.
    `earlier` validations are needed before that is judged at all.
    """

    steal: float = 0.05
    detoured: float = 0.05
    scheduled: float = 0.95
    spread: float = 0.10
    wall_spread: float = 0.25
    fading: float = 0.10
    earlier: int = 3
    slower: Mapping[str, float] = field(default_factory=_apart)


def findings(
    facts: Facts,
    pressure: Pressure,
    probed: Probed,
    record: Sequence[Mapping[str, Shape]] = (),
    tolerance: Tolerance | None = None,
) -> tuple[Finding, ...]:
    """What was found, the worst first in meaning: wrong, throttled, overcommitted, noisy, advice.

    `record` holds the shapes of earlier validations of the same machine that were fit.
    """
    allowed = tolerance or Tolerance()
    return (
        *_broken(probed),
        *_throttled(pressure, probed, record, allowed),
        *_overcommitted(facts, pressure, probed, allowed),
        *_noisy(probed, allowed),
        *_advice(facts, pressure),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1f} %"


def _broken(probed: Probed) -> Iterator[Finding]:
    if not probed.correct:
        yield Finding(
            "broken",
            "integer arithmetic with a known result came out wrong",
            "take this machine out of service: its CPU or memory is defective",
        )


def _throttled(
    pressure: Pressure,
    probed: Probed,
    record: Sequence[Mapping[str, Shape]],
    allowed: Tolerance,
) -> Iterator[Finding]:
    if pressure.thermal:
        yield Finding(
            "throttled",
            f"the hardware throttled its cores {pressure.thermal} times while probed",
            "mend the cooling, or lower the load",
        )
    if pressure.throttled > 0:
        yield Finding(
            "throttled",
            f"the control group held this process back for {pressure.throttled * 1e3:.0f} ms",
            "give the container more CPU, or none of a quota (docker run --cpus)",
        )
    cpu = probed.named("compute-cpu")
    if cpu is not None and len(cpu.values) >= 20:
        # CPU time leaves out what others took: what remains is the core itself slowing down.
        middle = len(cpu.values) // 2
        first, second = sorted(cpu.values[:middle]), sorted(cpu.values[middle:])
        fading = second[len(second) // 2] / first[len(first) // 2] - 1
        if fading > allowed.fading:
            yield Finding(
                "throttled",
                f"equal work took {_percent(fading)} more CPU time in the second half of the probe",
                "wait until the core has cooled down, or fix its frequency",
            )
    yield from _slower(probed, record, allowed)


def _slower(
    probed: Probed, record: Sequence[Mapping[str, Shape]], allowed: Tolerance
) -> Iterator[Finding]:
    now = shapes_of(probed.series)
    better = {series.name: series.better for series in probed.series}
    for name, tolerance in allowed.slower.items():
        earlier = [
            shapes[name] for shapes in record if len(shapes.get(name, ())) == len(now.get(name, ()))
        ]
        if name not in now or len(earlier) < allowed.earlier:
            continue
        share = worse(now[name], earlier[medoid(earlier)], better[name])
        if share > tolerance:
            yield Finding(
                # Wall time may be slow because of others; the core's own clock may not.
                "throttled" if name == "compute-cpu" else "noisy",
                f"{name} is {_percent(share)} worse than in {len(earlier)} earlier validations",
                "find what changed (cooling, neighbours, power); `certune doctor --forget` "
                "if it is meant to stay",
            )


def _overcommitted(
    facts: Facts, pressure: Pressure, probed: Probed, allowed: Tolerance
) -> Iterator[Finding]:
    if pressure.steal > allowed.steal:
        yield Finding(
            "overcommitted",
            f"the hypervisor took {_percent(pressure.steal)} of the CPUs' time (steal)",
            "use dedicated CPUs, or another host",
        )
    busy = f"other processes used {_percent(pressure.others)} of {len(facts.cpus)} CPUs"
    remedy = "end other work on this machine, or wait"
    if probed.scheduled < allowed.scheduled:
        yield Finding(
            "overcommitted",
            f"a computing thread ran for {_percent(probed.scheduled)} of the time; {busy}",
            remedy,
        )
    elif probed.detoured > allowed.detoured:
        yield Finding(
            "overcommitted",
            f"{_percent(probed.detoured)} of a spinning loop's time was lost, up to "
            f"{probed.longest_detour * 1e3:.1f} ms at once; {busy}",
            remedy,
        )


def _noisy(probed: Probed, allowed: Tolerance) -> Iterator[Finding]:
    for name, limit in (("compute-cpu", allowed.spread), ("compute", allowed.wall_spread)):
        series = probed.named(name)
        if series is None or series.median <= 0:
            continue
        spread = series.quantile(0.95) / series.median - 1
        if spread > limit:
            clock = "CPU" if name == "compute-cpu" else "wall"
            yield Finding(
                "noisy",
                f"one in twenty repetitions of equal work took {_percent(spread)} more {clock} "
                "time than the median",
                "leave the sibling hardware thread idle, and end other work",
            )


def _advice(facts: Facts, pressure: Pressure) -> Iterator[Finding]:
    if facts.governor not in (None, "performance"):
        yield Finding(
            "fit",
            f"the frequency governor is {facts.governor!r}",
            "cpupower frequency-set -g performance",
        )
    if facts.turbo:
        yield Finding(
            "fit",
            "turbo frequencies are on: speed depends on temperature and neighbours",
            "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or 0 into cpufreq/boost",
        )
    if facts.smt:
        yield Finding(
            "fit",
            "cores run several hardware threads; siblings of measuring cores are left idle",
            "certune cannot keep other programs off them: isolate CPUs, or switch SMT off",
        )
    if facts.quota is not None and facts.quota < len(facts.cpus):
        yield Finding(
            "fit",
            f"the control group allows {facts.quota:g} of {len(facts.cpus)} CPUs",
            "a quota stops all threads once it is used up: prefer --cpuset-cpus to --cpus",
        )
    if facts.clock not in (None, "tsc", "arch_sys_counter"):
        yield Finding(
            "fit",
            f"the clock source is {facts.clock!r}, which is slow to read",
            "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
        )
    if len(facts.cores) < 2:
        yield Finding("fit", "one core: checks wait while something is measured")
    elif pressure.others > 0.5 + 0.5 / len(facts.cpus):
        yield Finding(
            "fit",
            f"other processes used {_percent(pressure.others)} of {len(facts.cpus)} CPUs "
            "while probed",
            "measurements take longer on a busy machine",
        )

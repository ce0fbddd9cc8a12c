"""Short micro-benchmarks: timer, detours, compute, memory bandwidth and latency, wake-ups.

Each gives the distribution of what it saw, not a mean: a machine that is fine on average and
bad one time in ten cannot be measured on. They run in the calling thread, on the CPU that it is
pinned to, and take about a second together (a third of it when quick).
"""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Better: TypeAlias = Literal["lower", "higher"]

_WORDS = 2048  # 16 KiB: within every first-level cache
_ROUNDS = 64
_MULTIPLIER = 6364136223846793005  # Knuth's MMIX generator
_INCREMENT = 1442695040888963407
_DETOUR_NS = 20_000
_MASK = 2**64 - 1


@dataclass(frozen=True)
class Series:
    """What a probe saw: one number for each repetition, in `unit`."""

    name: str
    unit: str
    better: Better
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value in the middle."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        """The value that `share` of the values are at or below, interpolated."""
        return float(np.quantile(np.asarray(self.values), share))


@dataclass(frozen=True)
class Probed:
    """What all probes saw.

    `timer_floor` and `timer_step` are the median and the least positive difference of two
    readings of the clock in seconds: nothing shorter can be told apart. `detoured` is the share
    of a spinning loop's time that was lost in gaps of 20 µs or more (the "selfish detour"
    benchmark of Beckman et al., 2006), `longest_detour` the longest such gap in seconds.
    `scheduled` is CPU time over wall time while computing. `correct` says that the compute
    probe got the result that it must get, whatever the machine.
    """

    timer_floor: float
    timer_step: float
    detoured: float
    longest_detour: float
    scheduled: float
    correct: bool
    series: tuple[Series, ...]

    def named(self, name: str) -> Series | None:
        """The series of this name."""
        return next((series for series in self.series if series.name == name), None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without garbage collection, whose pauses would be taken for the machine's."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def timer(readings: int = 5000) -> tuple[float, float]:
    """Median and least positive difference of two readings of the clock, in seconds."""
    read = time.perf_counter_ns
    with _quiet():
        times = [read() for _ in range(readings)]
    steps = np.diff(np.asarray(times, dtype=np.int64))
    positive = steps[steps > 0]
    least = float(positive.min()) if positive.size else 0.0
    return float(np.median(steps)) * 1e-9, least * 1e-9


def detours(seconds: float) -> tuple[float, float]:
    """The share of a spinning loop's time that was lost in gaps, and the longest in seconds."""
    read = time.perf_counter_ns
    lost = longest = 0
    with _quiet():
        began = last = read()
        end = began + int(seconds * 1e9)
        while last < end:
            now = read()
            gap = now - last
            if gap >= _DETOUR_NS:
                lost += gap
                longest = max(longest, gap)
            last = now
    return lost / max(1, last - began), longest * 1e-9


def compute(samples: int) -> tuple[Series, Series, float, bool]:
    """A fixed amount of integer arithmetic in the first-level cache, again and again.

    Returns the wall time and the CPU time of each repetition in seconds, CPU over wall time of
    all, and whether every repetition had the result that closed form gives.
    """
    start = np.arange(_WORDS, dtype=np.uint64)
    multiplier, increment = np.uint64(_MULTIPLIER), np.uint64(_INCREMENT)
    expected = _jumped(start, _ROUNDS)
    work = start.copy()
    wall, cpu = [], []
    correct = True
    with _quiet():
        for _ in range(samples):
            np.copyto(work, start)
            cpu_began, began = time.thread_time_ns(), time.perf_counter_ns()
            for _ in range(_ROUNDS):
                np.multiply(work, multiplier, out=work)
                np.add(work, increment, out=work)
            ended, cpu_ended = time.perf_counter_ns(), time.thread_time_ns()
            wall.append((ended - began) * 1e-9)
            cpu.append((cpu_ended - cpu_began) * 1e-9)
            correct = correct and bool(np.array_equal(work, expected))
    return (
        Series("compute", "s", "lower", tuple(wall)),
        Series("compute-cpu", "s", "lower", tuple(cpu)),
        sum(cpu) / max(sum(wall), 1e-12),
        correct,
    )


def _jumped(start: npt.NDArray[np.uint64], rounds: int) -> npt.NDArray[np.uint64]:
    """The generator's state after `rounds` steps, by powers instead of steps (Brown, 1994)."""
    a, c, factor, addend = _MULTIPLIER, _INCREMENT, 1, 0
    while rounds:
        if rounds & 1:
            factor, addend = factor * a & _MASK, (addend * a + c) & _MASK
        a, c = a * a & _MASK, (a + 1) * c & _MASK
        rounds >>= 1
    return start * np.uint64(factor) + np.uint64(addend)


def bandwidth(size: int, samples: int) -> Series:
    """Copies of `size` bytes that no cache holds, in bytes read and written a second."""
    source = np.ones(size // 8)
    target = np.zeros_like(source)
    rates = []
    with _quiet():
        np.copyto(target, source)
        for _ in range(samples):
            began = time.perf_counter_ns()
            np.copyto(target, source)
            rates.append(2 * source.nbytes / ((time.perf_counter_ns() - began) * 1e-9))
    return Series("bandwidth", "B/s", "higher", tuple(rates))


def latency(size: int, samples: int, steps: int = 2000) -> Series:
    """Dependent loads over `size` bytes, in seconds each, with the interpreter's own step.

    The chain is a full-period generator modulo a power of two, so that it visits every entry
    once in an order that no prefetcher foresees.
    """
    entries = 1 << ((size // 4).bit_length() - 1)
    places = np.arange(entries, dtype=np.uint64)
    following = (places * np.uint64(1664525) + np.uint64(1013904223)) & np.uint64(entries - 1)
    chain = array("I", following.astype(np.uint32).tobytes())
    place = 0
    each = []
    count = range(steps)
    with _quiet():
        for _ in range(samples):
            began = time.perf_counter_ns()
            for _ in count:
                place = chain[place]
            each.append((time.perf_counter_ns() - began) * 1e-9 / steps)
    return Series("latency", "s", "lower", tuple(each))


def wakeups(samples: int, asleep: float = 200e-6) -> Series:
    """How much later than asked a sleeping thread runs again, in seconds."""
    late = []
    with _quiet():
        for _ in range(samples):
            began = time.perf_counter_ns()
            time.sleep(asleep)
            late.append((time.perf_counter_ns() - began) * 1e-9 - asleep)
    return Series("wake-up", "s", "lower", tuple(late))


def probe(*, quick: bool, last_cache_bytes: int | None, memory_bytes: int | None) -> Probed:
    """Run every probe in the calling thread; about 0.3 s quick, else about 1 s."""
    beyond_cache = 2 * (last_cache_bytes or 2**25)
    size = min(max(2**24, beyond_cache), 2**27, max(2**20, (memory_bytes or 2**31) // 16))
    floor, step = timer()
    detoured, longest = detours(0.05 if quick else 0.2)
    wall, cpu, scheduled, correct = compute(150 if quick else 500)
    return Probed(
        timer_floor=floor,
        timer_step=step,
        detoured=detoured,
        longest_detour=longest,
        scheduled=scheduled,
        correct=correct,
        series=(
            wall,
            cpu,
            bandwidth(size, 5 if quick else 15),
            latency(size, 20 if quick else 60),
            wakeups(40 if quick else 150),
        ),
    )

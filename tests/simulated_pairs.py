"""Pairs of processes on machines that misbehave, for tests of the comparison.

A machine gives two slots of time, one after the other; it may look at everything that was
observed before, but never at the coin that assigns the slots to candidate and incumbent.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

from certune.sandbox.comparison import Observation

Slots = tuple[float, float]
Machine = Callable[[random.Random, list[float]], Slots]


class Pairs:
    """A source of observations: `gain` is what the candidate's time is divided by.

    `fair` is the coin: without it, the candidate always takes the first slot. The CPU clock sees
    slots of its own from `cpu`, or those of the wall clock.
    """

    def __init__(
        self,
        machine: Machine,
        generator: random.Random,
        *,
        gain: float = 1.0,
        cpu_gain: float | None = None,
        cpu: Machine | None = None,
        fair: bool = True,
    ) -> None:
        self.machine, self.cpu, self.fair = machine, cpu, fair
        self.gain, self.cpu_gain = gain, gain if cpu_gain is None else cpu_gain
        self.generator = generator
        self.past: list[float] = []

    def observe(self) -> Observation:
        swapped = self.fair and self.generator.random() < 0.5
        wall = self.machine(self.generator, self.past)
        cpu = self.cpu(self.generator, self.past) if self.cpu else wall
        if swapped:
            wall, cpu = wall[::-1], cpu[::-1]
        ratio = wall[1] / wall[0] * self.gain
        self.past.append(math.log(ratio))
        return Observation(ratio, cpu[1] / cpu[0] * self.cpu_gain, wall[1], cpu[1], 0.1)


def still(generator: random.Random, past: list[float]) -> Slots:
    """Independent noise of 2 %."""
    return math.exp(generator.gauss(0, 0.02)), math.exp(generator.gauss(0, 0.02))


def quiet(generator: random.Random, past: list[float]) -> Slots:
    """Independent noise of 0.5 %."""
    return math.exp(generator.gauss(0, 0.005)), math.exp(generator.gauss(0, 0.005))


def layout(generator: random.Random, past: list[float]) -> Slots:
    """A process is as fast as its memory layout: one of two speeds, 8 % apart."""
    return generator.choice((1.0, 1.08)), generator.choice((1.0, 1.08))


def heavy(generator: random.Random, past: list[float]) -> Slots:
    """Most times are close together, some are without any bound."""
    return generator.paretovariate(0.7), generator.paretovariate(0.7)


def drifting(generator: random.Random, past: list[float]) -> Slots:
    """Every slot is 3 % slower than the one before: a machine that heats up."""
    start = 1.03 ** (2 * len(past) % 200)
    return start * math.exp(generator.gauss(0, 0.01)), 1.03 * start


def second_is_slow(generator: random.Random, past: list[float]) -> Slots:
    """What runs second is 20 % slower, always."""
    return 1.0, 1.2


def periodic(generator: random.Random, past: list[float]) -> Slots:
    """Another program disturbs each second slot, in turns."""
    return (1.0, 1.5) if len(past) % 2 else (1.5, 1.0)


def autocorrelated(generator: random.Random, past: list[float]) -> Slots:
    """Noise that keeps on: the next pair resembles the last observation."""
    last = past[-1] if past else 0.0
    push = 0.9 * last + generator.gauss(0, 0.02)
    return math.exp(push), math.exp(generator.gauss(0, 0.02))


def adversary(generator: random.Random, past: list[float]) -> Slots:
    """Knows every observation: repeats what last made the candidate win, at growing size."""
    wins = sum(1 for one in past if one > 0)
    size = 1 + 0.5 * (2 * wins > len(past)) + 0.01 * len(past)
    return (1.0, size) if not past or past[-1] > 0 else (size, 1.0)


def mostly_even(generator: random.Random, past: list[float]) -> Slots:
    """Ties (a clock of few ticks), and now and then a difference."""
    return (1.0, 1.0) if generator.random() < 0.7 else (1.0, generator.choice((0.5, 2.0)))


NULLS: tuple[Machine, ...] = (
    still, layout, heavy, drifting, second_is_slow, periodic, autocorrelated, adversary,
    mostly_even,
)  # fmt: skip


def sources(machine: Machine, count: int, seed: int, **options: object) -> Iterator[Pairs]:
    """`count` sources, each with a generator of its own."""
    for number in range(count):
        yield Pairs(machine, random.Random(f"{seed} {number}"), **options)  # type: ignore[arg-type]

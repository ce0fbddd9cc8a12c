"""The comparison: observe until it is shown, or until it will not be.

A candidate is `better` when both of its clocks show, at the stated error, that the median ratio
of a pair of processes is above 1 + least effect, and when fresh runs then show it again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import exp, log, sqrt
from statistics import median
from typing import Literal, TypeAlias

from certune.core.measurement import Comparison
from certune.sandbox.comparison.betting import MedianInterval, fewest_rounds
from certune.sandbox.comparison.model import (
    LARGEST,
    SMALLEST,
    Fault,
    Inconclusive,
    Observation,
    Rule,
    Source,
)

DEFAULT = Rule()
METHOD = "bets on the signs of process pairs"

# shown: above the least effect on both clocks. slower: below its inverse on both. hopeless: one
# of the clocks has shown that there is no such gain.
_End: TypeAlias = Literal["shown", "slower", "hopeless", "exhausted", "out-of-time"]


class _Clock:
    """What is known of the log ratio on one clock."""

    def __init__(self, error: float, rule: Rule) -> None:
        self._margin = log(1 + rule.least_effect)  # as the log of such a ratio is rounded
        self._accepting = MedianInterval(error)
        self._refusing = MedianInterval(rule.refusing_error)

    def add(self, ratio: float) -> None:
        value = log(min(max(ratio, SMALLEST), LARGEST))
        self._accepting.add(value)
        self._refusing.add(value)

    @property
    def shown(self) -> bool:
        return self._accepting.low > self._margin

    @property
    def slower(self) -> bool:
        return self._refusing.high < -self._margin

    @property
    def hopeless(self) -> bool:
        return self._refusing.high <= self._margin


@dataclass
class _Record:
    """All observations of a comparison, in their order."""

    rule: Rule
    seen: list[Observation] = field(default_factory=list)
    seconds: float = 0.0

    def samples(self) -> tuple[tuple[float, float], ...]:
        return tuple((one.wall_ratio, one.cpu_ratio) for one in self.seen)

    def told(self, clock: Callable[[Observation], float]) -> tuple[float, tuple[float, float]]:
        """Median ratio on a clock and its interval."""
        known = MedianInterval(self.rule.refusing_error)
        for one in self.seen:
            known.add(log(min(max(clock(one), SMALLEST), LARGEST)))
        low, high = known.interval
        low, high = max(low, log(SMALLEST)), min(high, log(LARGEST))
        # A drift may leave the median of all outside of what was known before.
        return exp(min(max(known.middle, low), high)), (exp(low), exp(high))


def compare(
    source: Source,
    *,
    error: float,
    rule: Rule = DEFAULT,
    confirm: Source | None = None,
) -> Comparison | Fault:
    """Compare a candidate with the incumbent; a `Fault` where the candidate could not be measured.

    `error` is the probability with which a candidate whose median ratio is at most 1 + least
    effect, on either clock, may come out `better`; it holds at whatever time the comparison
    stops. It is the product of the errors of the two parts, of which the second sees nothing of
    the first: the confirmation on fresh runs (from `confirm`, by default `source` again) is held
    to the rule's `confirming_error`, or to the square root of `error` where that is larger.

    The ratio, its 95 % interval (by default) and the samples are of both parts. Ratio and
    interval are those of the wall clock, of a candidate that is better those of the clock that
    shows less. What was shown is part of the interval.

    Raises:
        Inconclusive: nothing was shown, and the incumbent alone differed too much from itself.
        InfrastructureError: what the sources raise.
        ValueError: an error that cannot be reached with `most_observations`.
    """
    first_error, fresh_error = _parts(error, rule)
    record = _Record(rule)
    ended = _part(source, first_error, rule.most_observations, record)
    if isinstance(ended, Fault):
        return ended
    first = len(record.seen)
    if ended == "shown":
        ended = _part(confirm or source, fresh_error, rule.most_confirmations, record)
        if isinstance(ended, Fault):
            return ended
        if ended == "shown":
            fresh = len(record.seen) - first
            return _comparison("better", f"shown in {first} pairs, again in {fresh}", error, record)
        why = f"shown in {first} pairs, but not confirmed by fresh ones ({_words(ended, record)})"
        return _comparison("not-shown", why, error, record)
    if ended == "slower":
        return _comparison("worse", f"slower in {first} pairs", error, record)
    noise = spread(record.seen)
    if ended in ("exhausted", "out-of-time") and noise > rule.noisiest:
        raise Inconclusive(
            f"nothing could be shown in {first} pairs of processes: the incumbent alone differs "
            f"from itself by {noise:.0%} from one process to the next; let other work end, or "
            "measure on a quieter machine"
        )
    return _comparison("not-shown", _words(ended, record), error, record)


def _parts(error: float, rule: Rule) -> tuple[float, float]:
    """The errors of the two parts, whose product is `error`."""
    if not 0 < error < 1:
        raise ValueError(f"an error of {error} is not between 0 and 1")
    fresh = max(rule.confirming_error, sqrt(error))
    for part, most, name in (
        (error / fresh, rule.most_observations, "most_observations"),
        (fresh, rule.most_confirmations, "most_confirmations"),
    ):
        needed = fewest_rounds(part)
        if needed > most:
            raise ValueError(f"the error takes {needed} pairs at least, {name} allows {most}")
    return error / fresh, fresh


def _part(source: Source, error: float, most: int, record: _Record) -> _End | Fault:
    """Observe until something is shown on both clocks or the limits are reached."""
    wall, cpu = _Clock(error, record.rule), _Clock(error, record.rule)
    start = record.seconds
    for _ in range(most):
        if record.seconds - start > record.rule.most_seconds:
            return "out-of-time"
        one = source.observe()
        record.seconds += one.seconds
        if isinstance(one, Fault):
            return replace(one, seconds=record.seconds)
        record.seen.append(one)
        wall.add(one.wall_ratio)
        cpu.add(one.cpu_ratio)
        if wall.shown and cpu.shown:
            return "shown"
        if wall.slower and cpu.slower:
            return "slower"
        if wall.hopeless or cpu.hopeless:
            return "hopeless"
    return "exhausted"


def _words(ended: _End, record: _Record) -> str:
    """Why nothing was shown."""
    rule, pairs = record.rule, len(record.seen)
    wall, (_, wall_high) = record.told(lambda one: one.wall_ratio)
    cpu, (_, cpu_high) = record.told(lambda one: one.cpu_ratio)
    gain = f"a gain of {rule.least_effect:.1%}"
    measured = f"wall {wall - 1:+.1%}, CPU {cpu - 1:+.1%}"
    if ended in ("hopeless", "slower"):
        clock = "wall" if wall_high <= cpu_high else "CPU"
        return f"the {clock} clock rules out {gain} in {pairs} pairs ({measured})"
    limit = "time" if ended == "out-of-time" else "pairs"
    return (
        f"{gain} was neither shown nor ruled out within the limit of {limit}, {pairs} pairs "
        f"({measured}; the incumbent alone varies by {spread(record.seen):.1%})"
    )


def _comparison(
    outcome: Literal["better", "not-shown", "worse"], why: str, error: float, record: _Record
) -> Comparison:
    ratio, (low, high) = record.told(lambda one: one.wall_ratio)
    if outcome == "better":
        # What is fast now and then has low times by the wall, and what is charged adds up.
        used, interval = record.told(lambda one: one.cpu_ratio)
        if used < ratio:
            ratio, (low, high) = used, interval
        low = max(low, 1 + record.rule.least_effect)
        ratio, high = max(ratio, low), max(high, low)
    return Comparison(
        outcome,
        ratio,
        (low, high),
        error,
        METHOD,
        least_effect=record.rule.least_effect,
        samples=record.samples(),
        seconds=record.seconds,
        reason=why,
    )


def spread(seen: list[Observation]) -> float:
    """How much the incumbent differs from itself from process to process, on its worse clock.

    One standard deviation of the log of its seconds, estimated from the median of successive
    differences, which neither a slow drift nor a few outliers move; 0 where it is not told. The
    candidate's own times have no part in it: noise of its own making is not the machine's.
    """
    walls = [one.incumbent_wall for one in seen]
    return max(_spread(walls), _spread([one.incumbent_cpu for one in seen]))


def _spread(seconds: list[float]) -> float:
    times = [log(value) for value in seconds if value > 0]
    steps = [abs(after - before) for before, after in pairwise(times)]
    if len(steps) < 3:
        return 0.0
    return median(steps) / (0.6745 * sqrt(2))  # of a difference of two normals, √2 too wide

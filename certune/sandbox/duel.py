"""Candidate against incumbent, measured: pairs of fresh processes on the same inputs.

What makes the comparison valid is done here. For each pair a secret coin says which of the two
programs takes the first place and which the second: the first place is started first, gets its
memory first, and draws its turns as the first. All that can differ between two places (layout
of memory, the core, what the machine does meanwhile) is thereby as likely to fall on the one
program as on the other, whatever happened before. Within a pair, blocks alternate in an order
that is drawn anew for each.

Of a pair, the wall clock's ratio is that of the lower deciles over all "go"s: what a program takes
when it is let run, since other processes only ever add to it. The CPU clock's is that of the sums,
single calls and hidden work included, so that nothing is gained by working at another time.

A pair has more blocks where the pairs before it were spread too widely to tell the ratio from
1 + least effect soon. That looks at the past alone, so the next coin is as fair as ever.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import exp, log
from statistics import median
from typing import TypeAlias

from certune.core.errors import Crashed, Unavailable
from certune.core.measurement import Comparison
from certune.sandbox import measuring
from certune.sandbox.comparison import Fault, Observation, Rule, compare, weighted
from certune.sandbox.core import OneCore
from certune.sandbox.measuring import Bench, Block, Bout, Cheated, Died, Program, WrongResult, doubt
from certune.sandbox.model import Isolation

BLOCKS = 5
MOST_BLOCKS = 4 * BLOCKS
# Of standard deviations between ratio and threshold: with 2, 98 % of the pairs are won.
_CLEAR = 2.0
_JUDGED = 4  # pairs by which the spread is judged
# After so many seconds a pair is given no further blocks: nobody is to spend minutes of the
# judge's time by answering late. Both programs' times count, so that the coin stays fair.
_LONGEST = 30.0
# Of a gain by the lower deciles, all times together must not say that it is a loss of this much.
# They are noisy where other processes run: this is for programs that are fast now and then only.
_WORST_TOTAL = 0.8
_FAULTS = (Cheated, WrongResult, Died)


@dataclass(frozen=True)
class Match:
    """One shape of an objective: both programs for it, where they meet, and what it weighs."""

    bench: Bench
    candidate: Program
    incumbent: Program
    weight: float = 1.0


# Makes the matches anew, benches with new secrets included: the fresh runs of a confirmation.
Matches: TypeAlias = Callable[[], Sequence[Match]]


@dataclass
class Seen:
    """All that a duel measured of one match."""

    match: Match
    candidate: list[Block] = field(default_factory=list)
    incumbent: list[Block] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)  # ratios of all wall time


class Duel:
    """Observations of candidate and incumbent, one pair of fresh processes for each match.

    `blocks` are measured of either process, up to `most_blocks` where the pairs before differ
    too much; at once as many as `after` came to, where that is given. `generator` throws the
    coin: secret unless a test gives one.
    """

    def __init__(
        self,
        matches: Matches,
        *,
        least_effect: float = 0.01,
        blocks: int = BLOCKS,
        most_blocks: int = MOST_BLOCKS,
        after: Duel | None = None,
        generator: random.Random | None = None,
    ) -> None:
        if blocks < 1:
            raise ValueError("a pair needs at least one block")
        self._make = matches
        self._matches: Sequence[Match] = ()
        self._margin = log(1 + least_effect)
        self._blocks, self._most = blocks, max(blocks, most_blocks)
        self._after = after
        self._past: list[Observation] = []
        self.seen: list[Seen] = []
        self._random = generator or secrets.SystemRandom()

    def observe(self) -> Observation | Fault:
        """Measure one pair of processes a match; several matches are one weighted observation.

        Raises:
            InfrastructureError: trouble of our own, also where the incumbent was at fault.
        """
        if not self._matches:
            self._matches = self._make()
            self.seen = [Seen(match) for match in self._matches]
            if self._after is not None:
                self._blocks = max(self._blocks, self._after._blocks)
        parts: list[tuple[Observation, float]] = []
        for match, seen in zip(self._matches, self.seen, strict=True):
            one = self._pair(match, seen)
            if isinstance(one, Fault):
                return replace(one, seconds=one.seconds + sum(part.seconds for part, _ in parts))
            parts.append((one, match.weight))
        found = weighted(parts)
        self._look(found)
        return found

    def _look(self, found: Observation) -> None:
        """Have more blocks from the next pair on if those so far do not tell enough."""
        self._past.append(found)
        if len(self._past) < _JUDGED or self._blocks >= self._most:
            return
        for ratios in (
            [log(one.wall_ratio) for one in self._past],
            [log(one.cpu_ratio) for one in self._past],
        ):
            middle = median(ratios)
            spread = 1.4826 * median(abs(ratio - middle) for ratio in ratios)
            if abs(middle - self._margin) < _CLEAR * spread:
                self._blocks = min(2 * self._blocks, self._most)
                self._past.clear()
                return

    def _coin(self) -> bool:
        return self._random.random() < 0.5

    def _pair(self, match: Match, seen: Seen) -> Observation | Fault:
        start = time.monotonic()
        found = self._run(match, seen)
        seconds = time.monotonic() - start
        return replace(found, seconds=seconds)

    def _run(self, match: Match, seen: Seen) -> Observation | Fault:
        bench = match.bench
        places = [match.candidate, match.incumbent]
        own = 0  # the candidate's place
        if self._coin():
            places.reverse()
            own = 1
        with ExitStack() as held:
            core = held.enter_context(OneCore(self._random))
            bouts: list[Bout] = []
            for place, program in enumerate(places):
                bout = bench.open(program)
                if isinstance(bout, _FAULTS):
                    return self._blame(match, bout, place == own)
                held.callback(bout.close)
                bouts.append(bout)
            core.take(bouts)
            taken: tuple[list[Block], list[Block]] = ([], [])
            end = time.monotonic() + _LONGEST
            for _ in range(self._blocks):
                if taken[0] and time.monotonic() > end:
                    break
                inputs = self._random.randbytes(16)
                for place in (0, 1) if self._coin() else (1, 0):
                    block = bench.block(bouts[place], inputs)
                    if isinstance(block, _FAULTS):
                        return self._blame(match, block, place == own)
                    taken[place].append(block)
        found = _ratios(taken[own], taken[1 - own])
        seen.candidate += taken[own]
        seen.incumbent += taken[1 - own]
        seen.ratios.append(found.wall_ratio)
        seen.totals.append(_waited(taken[1 - own]) / _waited(taken[own]))
        return found

    def _blame(self, match: Match, found: measuring.Fault, candidate: bool) -> Fault:
        """The candidate's fault, once a control run of the incumbent has passed.

        Raises:
            Crashed: the incumbent is at fault, too or alone.
        """
        if not candidate:
            raise Crashed(f"the incumbent could not be measured: {found}")
        bout = match.bench.open(match.incumbent)
        if isinstance(bout, _FAULTS):
            raise Crashed(f"neither candidate nor incumbent could be measured: {found}; {bout}")
        try:
            control = match.bench.block(bout, self._random.randbytes(16))
        finally:
            bout.close()
        if isinstance(control, _FAULTS):
            raise Crashed(f"neither candidate nor incumbent could be measured: {found}; {control}")
        if isinstance(found, Cheated):
            return Fault("cheated", str(found), {"trick": found.trick, **found.evidence})
        if isinstance(found, WrongResult):
            return Fault("wrong", str(found), {"go": found.go, "slot": found.slot})
        return Fault("died", str(found), {"ending": found.ended.ending})


def _ratios(candidate: Sequence[Block], incumbent: Sequence[Block]) -> Observation:
    """What the blocks of a pair say."""
    own = _undisturbed(candidate)
    other = _undisturbed(incumbent)
    calls = sum(block.calls for block in incumbent)
    used, others = _used(candidate), _used(incumbent)
    return Observation(other / own, others / used, other, others / calls)


def _undisturbed(blocks: Sequence[Block]) -> float:
    """Wall seconds a call: the lower decile."""
    times = sorted(go.wall_seconds / go.calls for block in blocks for go in block.gos)
    return times[len(times) // 10]


def _waited(blocks: Sequence[Block]) -> float:
    """Wall seconds of whole blocks."""
    return sum(go.wall_seconds for block in blocks for go in (*block.gos, *block.lone))


def _used(blocks: Sequence[Block]) -> float:
    """CPU seconds of whole blocks."""
    return sum(go.cpu_seconds for block in blocks for go in (*block.gos, *block.lone))


def fight(
    matches: Matches, *, error: float, rule: Rule | None = None, blocks: int = BLOCKS
) -> Comparison | Fault:
    """Compare a candidate with the incumbent by measuring both; the winner is confirmed.

    `matches` is called once for the comparison and once more for its confirmation. The machine
    is to be validated before (`certune.sandbox.machine`), and `error` to be spent before
    (`Ledger.spend_error`). A gain that could come from the way of measuring (`measuring.doubt`)
    is not shown.

    Raises:
        Unavailable: a bench whose workers are less than confined, so that work can be hidden.
        Inconclusive: nothing was shown, and the machine was too noisy for anything to be.
        InfrastructureError: trouble of our own; the error stays spent.
    """
    rule = rule or Rule()

    def made() -> Sequence[Match]:
        return _confined(matches())

    first = Duel(made, least_effect=rule.least_effect, blocks=blocks)
    fresh = Duel(made, least_effect=rule.least_effect, blocks=blocks, after=first)
    found = compare(first, error=error, rule=rule, confirm=fresh)
    if isinstance(found, Fault) or found.outcome != "better":
        return found
    doubts = _doubts(first.seen, fresh.seen, log(1 + rule.least_effect))
    if not doubts:
        return found
    return replace(found, outcome="not-shown", reason=f"in doubt: {doubts}; {found.reason}")


def _confined(matches: Sequence[Match]) -> Sequence[Match]:
    for match in matches:
        if match.bench.level < Isolation.CONFINED:
            raise Unavailable(
                f"measured at the level {match.bench.level.word}, where work can be hidden in "
                "other processes; measured claims need the level confined: see certune doctor"
            )
    return matches


def _doubts(first: Sequence[Seen], fresh: Sequence[Seen], margin: float) -> str:
    """Why too little is left of a gain without the shapes whose own gain is in doubt."""
    total = left = 0.0
    told = ""
    for one, other in zip(first, fresh, strict=True):
        match = one.match
        total += match.weight
        gain = log(median(one.ratios + other.ratios))
        if gain > 0:
            if (whole := median(one.totals + other.totals)) < _WORST_TOTAL:
                told = told or (
                    f"its lower times are {exp(gain):.2f} times as fast, all of them together "
                    f"{whole:.2f} times: it is fast now and then"
                )
                continue
            with OneCore(secrets.SystemRandom()) as core:
                floor = match.bench.floor(match.candidate, place=lambda bout: core.take([bout]))
            mine, theirs = one.candidate + other.candidate, one.incumbent + other.incumbent
            if why := doubt(mine, theirs, floor):
                told = told or why
                continue
        left += match.weight * gain
    return "" if left > margin * total else told

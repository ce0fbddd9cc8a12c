"""The self-test: every attack that is shipped, at every level, judged from outside.

An escape is what the judge can see: a secret that came back, a canary that was touched, a process
or an object that was left, a run that outlived its limits or that passed for trouble of the
judge's own; and what only the attack can know (a call that succeeded) it says itself. An attack
counts only if its mark came: a sandbox that did not start has held nothing.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Literal

from certune.core.errors import InfrastructureError, InvalidInput, Unavailable, nearest
from certune.sandbox.attacks import catalogue
from certune.sandbox.attacks.bait import Bait
from certune.sandbox.attacks.catalogue import Attack
from certune.sandbox.attacks.trying import LIMITS, Try, one
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import LAYERS, Isolation, Layer

LEVELS = (Isolation.NONE, Isolation.PROCESS, Isolation.CONFINED, Isolation.CONTAINED)
WAYS = ("fresh", "warm")
# Below this share of escapes without protection, the attacks are too weak to show anything.
_CONTROL = 0.5


class Held(Enum):
    """How an attack went."""

    HELD = "held"
    ESCAPED = "escaped"
    NOT_PROMISED = "not-promised"  # it got through at level 2; only level 3 claims to hold it
    NOT_TRIED = "not-tried"


@dataclass(frozen=True)
class Finding:
    """One attack at one level. `way` is "fresh" or "warm", `reasons` why it is an escape."""

    attack: str
    title: str
    way: str
    held: Held
    reasons: tuple[str, ...]
    attempts: int
    kind: Literal["containment", "toolchain", "measurement"] = "containment"


@dataclass(frozen=True)
class AtLevel:
    """All attacks at one level; `unavailable` says why there are none."""

    level: Isolation
    without: tuple[str, ...]
    findings: tuple[Finding, ...]
    seconds: float = 0.0
    unavailable: str = ""

    def count(self, held: Held) -> int:
        """How many attacks went like that."""
        return sum(finding.held is held for finding in self.findings)

    @property
    def tried(self) -> int:
        """How many attacks were really made."""
        return len(self.findings) - self.count(Held.NOT_TRIED)

    @property
    def control(self) -> bool:
        """Whether nothing is claimed of this level: it shows that the attacks are real."""
        return self.level < Isolation.CONFINED

    @property
    def passed(self) -> bool:
        """Every attack was made; levels 2 and 3 held all, level 0 lost most."""
        if self.unavailable or not self.findings or self.count(Held.NOT_TRIED):
            return False
        escaped = self.count(Held.ESCAPED)
        if self.level is Isolation.NONE:
            return escaped >= _CONTROL * len(self.findings)
        return self.control or not escaped


def passed(reports: Sequence[AtLevel]) -> bool:
    """Whether a self-test as a whole is passed: some level that claims to hold did, none failed."""
    had = [report for report in reports if not report.unavailable]
    return bool(had) and all(report.passed for report in had)


def chosen(names: Iterable[str] | None) -> tuple[Attack, ...] | None:
    """The attacks on containment with these names; None for all.

    Raises:
        InvalidInput: there is none of that name.
    """
    if not names:
        return None
    known = {attack.name: attack for attack in catalogue.containment()}
    for name in names:
        if name not in known:
            raise InvalidInput(f"there is no attack {name[:60]!r}", remedy=nearest(name, known))
    return tuple(known[name] for name in names)


def run(
    level: Isolation,
    *,
    without: Iterable[Layer] = (),
    attacks: Sequence[Attack] | None = None,
    ways: Sequence[str] = WAYS,
    toolchain: bool = False,
    measurement: bool = False,
    progress: Callable[[Finding], None] | None = None,
) -> AtLevel:
    """Run the attacks at one level, with the layers `without` switched off.

    `attacks` None is every one for this machine. `ways`: "fresh" workers are exec'd, "warm" ones
    forked from a template. `toolchain` adds the attacks by way of tools, `measurement` those on
    measuring, which are made at levels that hold, with all layers.

    Raises:
        InfrastructureError: the attacks could not be prepared.
    """
    begun = time.monotonic()
    missing = frozenset(without)
    whole = attacks is None and not missing
    words = tuple(sorted(layer.value for layer in missing))
    findings = []
    try:
        parts = [_contained(level, missing, attacks, ways)]
        if toolchain and whole:
            parts.append(_by_tools(level))
        if measurement and whole and level >= Isolation.CONFINED:
            parts.append(_measured(level))
        for found in chain.from_iterable(parts):
            findings.append(found)
            if progress is not None:
                progress(found)
    except Unavailable as error:
        return AtLevel(level, words, (), unavailable=str(error))
    return AtLevel(level, words, tuple(findings), time.monotonic() - begun)


def _contained(
    level: Isolation,
    missing: frozenset[Layer],
    attacks: Sequence[Attack] | None,
    ways: Sequence[str],
) -> Iterator[Finding]:
    made = catalogue.containment() if attacks is None else attacks
    with Bait(LIMITS) as bait, _Keepers(level, missing) as keepers:
        keepers.get(())
        for attack in made:
            if attack.machine not in ("", platform.machine()):
                continue
            for way in ways[:1] if attack.waits else ways:
                yield _finding(attack, way, level, _tries(keepers, bait, attack, way))


class _Keepers:
    """One keeper for each list of modules that attacks ask to have imported beforehand."""

    def __init__(self, level: Isolation, missing: frozenset[Layer]) -> None:
        self._level = level
        self._layers = LAYERS[level] - missing
        self._made: dict[tuple[str, ...], Keeper] = {}

    def __enter__(self) -> _Keepers:
        return self

    def __exit__(self, *_: object) -> None:
        for preloads in list(self._made):
            self.forget(preloads)

    def get(self, preloads: tuple[str, ...]) -> Keeper:
        if preloads not in self._made:
            self._made[preloads] = Keeper(self._level, preload=preloads, layers=self._layers)
        return self._made[preloads]

    def forget(self, preloads: tuple[str, ...]) -> None:
        if preloads in self._made:
            self._made.pop(preloads).close()


def _tries(keepers: _Keepers, bait: Bait, attack: Attack, way: str) -> Iterator[Try]:
    for variant in attack.variants:
        for number in range(1, attack.runs + 1):
            try:
                keeper = keepers.get(attack.preloads)
            except InfrastructureError as error:
                yield Try.refused(str(error), attack)
                continue
            for tried in one(keeper, bait, attack, variant, number, fresh=way == "fresh"):
                if tried.broke:
                    keepers.forget(attack.preloads)
                yield tried


def _finding(attack: Attack, way: str, level: Isolation, tries: Iterator[Try]) -> Finding:
    reasons: list[str] = []
    broken: list[str] = []
    attempts, whole = 0, True
    for tried in tries:
        reasons += tried.reasons
        broken += tried.broken
        attempts += tried.attempts
        whole = whole and tried.tried
    unique = tuple(dict.fromkeys(reasons))
    if unique:
        beyond = Isolation.CONFINED <= level < attack.promised_from
        held = Held.NOT_PROMISED if beyond else Held.ESCAPED
    else:
        held = Held.HELD if whole and attempts and not broken else Held.NOT_TRIED
    unique = (*unique, *dict.fromkeys(broken))
    return Finding(attack.name, attack.title, way, held, unique, attempts)


def _by_tools(level: Isolation) -> Iterator[Finding]:
    from certune.sandbox.attacks import tools

    with Bait(tools.TOOL_LIMITS) as bait, Keeper(level, profile="toolchain") as keeper:
        for tried in tools.run(keeper, bait):
            held = Held.HELD if tried.attempts and not tried.broken else Held.NOT_TRIED
            reasons = (*tried.reasons, *([tried.broken] if tried.broken else []))
            yield Finding(
                tried.attack.name,
                tried.attack.title,
                "warm",
                Held.ESCAPED if tried.reasons else held,
                reasons,
                tried.attempts,
                "toolchain",
            )


def _measured(level: Isolation) -> Iterator[Finding]:
    with Keeper(level) as keeper:
        yield from _measured_in(keeper)


def _measured_in(keeper: Keeper) -> Iterator[Finding]:
    from certune.sandbox.attacks.measured import Ring
    from certune.sandbox.attacks.measured import attacks as on_measurement

    ring = Ring(keeper)
    for attack in on_measurement():
        try:
            attempt = ring.run(attack)
        except InfrastructureError as error:
            held, reason = Held.NOT_TRIED, f"{type(error).__name__}: {error}"
        else:
            reason = "" if attempt.held else f"{attempt.outcome}: {attempt.detail}"
            if attempt.held:
                held = Held.HELD
            elif attempt.outcome == "faster" and attempt.tried:
                held = Held.ESCAPED
            elif not attempt.tried or attack.name.startswith("honest_"):
                held = Held.NOT_TRIED
            else:  # stopped, if otherwise than it is known to be
                held = Held.HELD
        reasons = (reason,) if reason else ()
        yield Finding(attack.name, attack.tries, "fresh", held, reasons, 1, "measurement")

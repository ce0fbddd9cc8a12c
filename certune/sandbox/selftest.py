"""The self-test: every attack that is shipped, at every level, judged from outside.

An escape is what the judge can see: a secret that came back, a canary that was touched, a process
or an object that was left, a run that outlived its limits or that passed for trouble of the
judge's own; and what only the attack can know (a call that succeeded) it says itself. An attack
counts only if its mark came: a sandbox that did not start has held nothing.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from certune.core.errors import InfrastructureError, Unavailable
from certune.sandbox.attacks.bait import Bait
from certune.sandbox.attacks.catalogue import Attack, containment
from certune.sandbox.attacks.trying import LIMITS, Try, one
from certune.sandbox.keeper import Keeper
from certune.sandbox.model import LAYERS, Isolation, Layer

LEVELS = (Isolation.NONE, Isolation.PROCESS, Isolation.CONFINED, Isolation.CONTAINED)
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
    seconds: float


@dataclass(frozen=True)
class AtLevel:
    """All attacks at one level; `unavailable` says why there are none."""

    level: Isolation
    without: tuple[str, ...]
    findings: tuple[Finding, ...]
    unavailable: str = ""

    def count(self, held: Held) -> int:
        """How many attacks went like that."""
        return sum(finding.held is held for finding in self.findings)

    @property
    def tried(self) -> int:
        """How many attacks were really made."""
        return len(self.findings) - self.count(Held.NOT_TRIED)

    @property
    def passed(self) -> bool:
        """Every attack was made; levels 2 and 3 held all, level 0 lost most."""
        if self.unavailable or not self.findings or self.count(Held.NOT_TRIED):
            return False
        escaped = self.count(Held.ESCAPED)
        if self.level is Isolation.NONE:
            return escaped >= _CONTROL * len(self.findings)
        return self.level < Isolation.CONFINED or not escaped


def run(
    level: Isolation,
    *,
    without: Iterable[Layer] = (),
    attacks: Iterable[Attack] | None = None,
    ways: tuple[str, ...] = ("fresh", "warm"),
    progress: Callable[[Finding], None] | None = None,
) -> AtLevel:
    """Run the attacks at one level, with the layers `without` switched off.

    `ways`: "fresh" workers are exec'd, "warm" ones forked from a template. Attacks for another
    machine are passed over.

    Raises:
        InfrastructureError: the attacks could not be prepared.
    """
    missing = frozenset(without)
    chosen = tuple(containment() if attacks is None else attacks)
    chosen = tuple(one for one in chosen if one.machine in ("", platform.machine()))
    findings = []
    try:
        with Bait(LIMITS) as bait, _Keepers(level, missing) as keepers:
            keepers.get(())
            for attack in chosen:
                for way in ways:
                    found = _finding(attack, way, level, _tries(keepers, bait, attack, way))
                    findings.append(found)
                    if progress is not None:
                        progress(found)
    except Unavailable as error:
        return AtLevel(level, _words(missing), (), unavailable=str(error))
    return AtLevel(level, _words(missing), tuple(findings))


class _Keepers:
    """One keeper for each list of modules that attacks ask to have imported beforehand."""

    def __init__(self, level: Isolation, missing: frozenset[Layer]) -> None:
        self._level = level
        self._layers = LAYERS[level] - missing
        self._made: dict[tuple[str, ...], Keeper] = {}

    def __enter__(self) -> _Keepers:
        return self

    def __exit__(self, *_: object) -> None:
        for keeper in self._made.values():
            keeper.close()
        self._made.clear()

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
                yield Try.refused(str(error))
                continue
            for tried in one(keeper, bait, attack, variant, number, fresh=way == "fresh"):
                if tried.broke:
                    keepers.forget(attack.preloads)
                yield tried


def _finding(attack: Attack, way: str, level: Isolation, tries: Iterator[Try]) -> Finding:
    reasons: list[str] = []
    broken: list[str] = []
    attempts, seconds, whole = 0, 0.0, True
    for tried in tries:
        reasons += tried.reasons
        broken += tried.broken
        attempts += tried.attempts
        seconds += tried.seconds
        whole = whole and tried.tried
    unique = tuple(dict.fromkeys(reasons))
    if not whole or broken or not attempts:
        held = Held.ESCAPED if unique else Held.NOT_TRIED
        unique = (*unique, *dict.fromkeys(broken))
    elif not unique:
        held = Held.HELD
    else:
        beyond = Isolation.CONFINED <= level < attack.promised_from
        held = Held.NOT_PROMISED if beyond else Held.ESCAPED
    return Finding(attack.name, attack.title, way, held, unique, attempts, seconds)


def _words(layers: frozenset[Layer]) -> tuple[str, ...]:
    return tuple(sorted(layer.value for layer in layers))

"""What the tests of attacks share: which levels there are, quick attacks, and judges to kill."""

from __future__ import annotations

from functools import cache

import pytest

from certune.sandbox import selftest
from certune.sandbox.attacks.catalogue import Attack, containment
from certune.sandbox.isolation.probe import available
from certune.sandbox.model import Isolation

WAITING = {attack.name for attack in containment() if attack.waits}
# One for each kind of wall; all of them escape without one.
SAMPLE = (
    "environment_variables",
    "descriptors_inherited",
    "files_read",
    "files_attributes",
    "fork_bomb",
    "keyring",
    "memory_bomb",
    "ptrace",
    "shared_memory_sysv",
    "signals_sent",
    "socket_tcp",
)
HOLDING = (Isolation.CONFINED, Isolation.CONTAINED)


def need(level: Isolation) -> None:
    """Skip the test where the machine has no such level."""
    if level is Isolation.NONE:
        return
    standing = available().standing(level)
    if not standing.available:
        pytest.skip(f"{level.word} cannot be had: {standing.reason}")


def named(*names: str) -> tuple[Attack, ...]:
    return tuple(attack for attack in containment() if attack.name in names)


@cache
def quick(level: Isolation, way: str) -> dict[str, selftest.Finding]:
    """All attacks that do not wait, made once."""
    attacks = [attack for attack in containment() if attack.name not in WAITING]
    report = selftest.run(level, attacks=attacks, ways=(way,))
    assert not report.unavailable
    return {finding.attack: finding for finding in report.findings}


def said(findings: object) -> str:
    """Findings one a line, for messages."""
    return "\n".join(
        f"{one.held.value} {one.attack} ({one.way}): {'; '.join(one.reasons)}"
        for one in findings  # type: ignore[attr-defined]
    )

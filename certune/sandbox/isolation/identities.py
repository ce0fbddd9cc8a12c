"""User ids that nobody has."""

from __future__ import annotations

import pwd
import secrets

from certune.sandbox.isolation.privileges import capabilities

_SETGID_AND_SETUID = 1 << 6 | 1 << 7


def may_become_another() -> bool:
    """Whether this process may change its user: root in a container may have lost that."""
    return capabilities() & _SETGID_AND_SETUID == _SETGID_AND_SETUID


def unused_ids(count: int) -> int:
    """The first of `count` successive user ids, mapped here, that nobody seems to have.

    Raises:
        OSError: none is to be had.
    """
    with open("/proc/self/uid_map", "rb") as file:
        spans = [tuple(map(int, line.split())) for line in file.read().splitlines()]
    inside, _, length = max(spans, key=lambda span: span[2])
    # The upper half of what is mapped, away from people, services and containers' subordinates.
    low, high = inside + length // 2, inside + length - count - 2
    if length > 1 << 31:
        low, high = 0x6000_0000, 0x6FFF_0000
    for _ in range(64):
        first = low + secrets.randbelow(max(1, high - low))
        if not any(_known(first + k) for k in (0, count - 1)):
            return first
    raise OSError(22, "no unused user id is mapped here")


def _known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True

"""Which levels this machine can do: each is tried, in a keeper and a worker of its own.

Version numbers say little: container profiles, AppArmor and boot options take parts away.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache

from certune.core.errors import InfrastructureError, Unavailable
from certune.sandbox.model import Isolation, Launch, Limits

NOT_LINUX = "it needs Linux; run certune in a Linux container or virtual machine"

# What a refused step means, by the system call (or file) that was refused.
_MEANINGS = {
    "landlock": (
        "Landlock is missing or refused",
        "use Linux 5.13 or later with landlock among the `lsm=` of the kernel's command line and a "
        "container runtime whose profile knows it, or declare the isolation that you have "
        "around certune",
    ),
    "seccomp": (
        "filters on system calls are missing or refused",
        "use a kernel with CONFIG_SECCOMP_FILTER, or declare the isolation that you have",
    ),
    "unshare": (
        "new namespaces are refused",
        "outside of containers, allow user namespaces (user.max_user_namespaces > 0, "
        "kernel.apparmor_restrict_unprivileged_userns = 0); inside of one this is usual, and "
        "'confined' is what can be had",
    ),
}
_MEANINGS |= dict.fromkeys(
    ("mount", "mount_setattr", "pivot_root", "umount2", "uid_map", "gid_map", "setgroups"),
    (
        "namespaces come without the rights to set them up",
        "AppArmor does this on Ubuntu 24.04 and hosted CI runners: "
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or be content with 'confined'",
    ),
)


@dataclass(frozen=True)
class Standing:
    """Whether a level can be had; if not, why, and what to do."""

    level: Isolation
    available: bool
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """All levels that were tried, lowest first."""

    standings: tuple[Standing, ...]

    @property
    def best(self) -> Isolation:
        """The highest level that can be had; NONE if not even a process apart can."""
        return max((one.level for one in self.standings if one.available), default=Isolation.NONE)

    def standing(self, level: Isolation) -> Standing:
        """What is known of one level.

        Raises:
            KeyError: it is none that can be tried.
        """
        return {one.level: one for one in self.standings}[level]

    def refusal(self) -> str:
        """Why candidates that are code are refused here, and what to do."""
        standing = self.standing(Isolation.CONFINED)
        return (
            f"candidates that are code are refused on this machine: {standing.reason}; "
            f"{standing.remedy}"
        )


def explain(told: str) -> str:
    """A refused step as reason and remedy in one sentence; `told` is "call: kernel's answer"."""
    reason, remedy = _meaning(told)
    return f"{reason} ({told}); {remedy}" if remedy else told


def _meaning(told: str) -> tuple[str, str]:
    name = told.partition(":")[0]
    return _MEANINGS.get("landlock" if name.startswith("landlock") else name, (told, ""))


@cache
def available() -> Report:
    """Try every level, once in this process. Takes about half a second."""
    confined, contained = _try(Isolation.CONFINED), _try(Isolation.CONTAINED)
    # A confined worker has all that a process apart has.
    process = Standing(Isolation.PROCESS, True) if confined.available else _try(Isolation.PROCESS)
    return Report((process, confined, contained))


def _try(level: Isolation) -> Standing:
    from certune.sandbox.keeper.client import Keeper

    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return Standing(level, False, f"{sys.platform} has none of what it needs", NOT_LINUX)
    try:
        with Keeper(level) as keeper:
            worker = keeper.start(Launch("trial", level, Limits(wall_seconds=30, cpu_seconds=10)))
            ended = worker.wait(60.0)
    except Unavailable as error:
        return Standing(level, False, *_split(str(error)))
    except InfrastructureError as error:
        return Standing(level, False, str(error), "report this, with the output of certune doctor")
    if ended.ending == "finished":
        return Standing(level, True)
    said = ended.diagnostics.decode(errors="replace").strip().rpartition("\n")[2]
    return Standing(level, False, f"a trial worker failed: {ended.detail}: {said}"[:500], _READABLE)


_READABLE = "the interpreter and its packages have to be readable by other users; else report this"


def _split(text: str) -> tuple[str, str]:
    reason, _, remedy = text.partition("; ")
    return reason.partition("cannot be had: ")[2] or reason, remedy

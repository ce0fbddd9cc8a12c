"""What a worker is allowed, what it is started from, and how it may end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Literal, TypeAlias

from certune.core.run import Ending


class Isolation(IntEnum):
    """How far a worker is kept apart; a higher level holds whatever a lower one holds.

    `DECLARED` is what the operator vouches for (a container, a virtual machine) around the best
    level that the machine itself allows; nothing checks it.
    """

    NONE = 0
    PROCESS = 1
    CONFINED = 2
    CONTAINED = 3
    DECLARED = 4

    @property
    def word(self) -> str:
        """The level's name in results and on the command line."""
        return self.name.lower()


def weakest(words: Iterable[str]) -> str | None:
    """The weakest of some levels by their words, None of none; unknown words are weakest."""
    ranks = {level.word: level.value for level in Isolation}
    return min(words, key=lambda word: (ranks.get(word, -1), word), default=None)


class Layer(Enum):
    """One wall. A level is a set of them; the self-test takes each away and must notice."""

    ENVIRONMENT = "environment"  # a fresh interpreter, clean variables, no folder of anybody's
    DESCRIPTORS = "descriptors"  # none but those that were passed
    LIMITS = "limits"  # resource limits
    SESSION = "session"  # own session, parent-death signal, everything killed at the end
    LANDLOCK = "landlock"  # files: interpreter and packages read-only
    SECCOMP = "seccomp"  # system calls by an allow-list
    NAMESPACES = "namespaces"  # user, mount, pid, net, ipc, uts, cgroup
    PRIVILEGES = "privileges"  # no capabilities, no new privileges, an unused uid under root


LAYERS: dict[Isolation, frozenset[Layer]] = {
    Isolation.NONE: frozenset(),
    Isolation.PROCESS: frozenset(
        {Layer.ENVIRONMENT, Layer.DESCRIPTORS, Layer.LIMITS, Layer.SESSION}
    ),
    Isolation.CONFINED: frozenset(Layer) - {Layer.NAMESPACES},
    Isolation.CONTAINED: frozenset(Layer),
}


@dataclass(frozen=True)
class Limits:
    """What a worker may use: seconds, bytes, counts. Each ends as its own named outcome."""

    wall_seconds: float = 30.0
    cpu_seconds: float = 30.0
    memory_bytes: int = 2 * 2**30
    file_bytes: int = 64 * 2**20
    output_bytes: int = 16 * 2**20
    processes: int = 1
    threads: int = 1
    open_files: int = 64


# compute: Python and native code on passed memory. toolchain: compilers and provers, which may
# exec read-only tools, start a bounded number of processes and write to one small folder.
Profile: TypeAlias = Literal["compute", "toolchain"]


@dataclass(frozen=True)
class Launch:
    """A worker to be started.

    `entry` names a module of `certune.sandbox.inside` whose `main(fds)` runs once the worker is
    locked; `fds` are passed on and arrive, in this order, as the numbers that `main` is given.
    `code` says which of them (0, 1, ...) hold shared objects; `inside.code.path` tells where a
    worker loads them from. `fresh` workers are exec'd; others are forked from a template that has
    the keeper's `preload` imported. A toolchain worker starts in a folder of its own, the only one
    that it may write to, of at most `limits.file_bytes`.
    """

    entry: str
    level: Isolation
    limits: Limits = Limits()
    fds: tuple[int, ...] = ()
    profile: Profile = "compute"
    fresh: bool = True
    code: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How a worker ended. `loaded` says whether candidate code had been reached before it did."""

    ending: Ending
    loaded: bool
    status: int
    cpu_seconds: float
    peak_bytes: int
    detail: str
    diagnostics: bytes

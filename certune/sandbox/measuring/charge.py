"""What a worker owes: CPU time that it used where the clock did not run, and waits within."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from certune.sandbox.measuring.outcome import Cheated, Go

# A worker that has answered still returns from the call that sent the reply, and is stopped and
# let run by signals. That takes an honest one a few microseconds, on a busy machine tens: there
# the caches are cold, and the kernel charges interrupts, and the time for which a host takes a
# virtual core away, to who runs. Under four busy loops 3 of 5,000 "go"s hid more than BASE_SECONDS.
BASE_SECONDS = 100e-6
SHARE = 0.05
MOST_SECONDS = 200e-6
# Refused is only who hides work most of the time, or more than is let pass on average over many a
# "go": the kernel's clock of a worker that somehow runs on is brought up to date but every few
# milliseconds. What is hidden is charged in any case, so that nobody gains by it on both clocks.
_FEWEST = 3
_MOSTLY = 0.5
_MANY = 20
# An honest worker of one thread gives the CPU away twice a "go": to wait for it, and when it is
# stopped. The rest is for page faults and for what libraries do now and then.
_GIVEN_AWAY = 2
_SPARE = 8
# States of a thread in which it runs nothing: stopped, traced, ended.
_STILL = (b"T", b"t", b"Z", b"X")


@dataclass(frozen=True)
class Timing:
    """One "go" in nanoseconds: the timed window, and what the worker used since the last one.

    `leaked` is the part that was used while the worker was to stand still, before the window;
    `charged` is all, read when the outputs had been checked.
    """

    calls: int
    wall: int
    leaked: int
    charged: int

    def hidden(self, threads: int) -> int:
        """CPU time that has no room in the window: `threads` times its length are explained."""
        return max(0, self.leaked, self.charged - threads * self.wall)

    def go(self, threads: int) -> Go:
        """The same in seconds.

        Wall time is at least what the CPU time takes on all threads: who replies first and works
        afterwards has not been faster by any clock.
        """
        wall = max(self.wall, self.charged / threads)
        return Go(self.calls, wall / 1e9, self.charged / 1e9, self.hidden(threads) / 1e9)


def allowed(wall_seconds: float) -> float:
    """How much hidden CPU time, in seconds, is let pass in a "go" of this length.

    All of it is charged to the program's CPU time in any case.
    """
    return min(MOST_SECONDS, BASE_SECONDS + SHARE * wall_seconds)


def hides(go: Go) -> bool:
    """Whether more is hidden in a "go" than is let pass."""
    return go.hidden_seconds > allowed(go.wall_seconds)


def hidden_work(gos: Sequence[Go]) -> Cheated | None:
    """Whether so many of these hide work that it is no accident."""
    hiding = [go for go in gos if hides(go)]
    mostly = len(hiding) >= _FEWEST and len(hiding) > _MOSTLY * len(gos)
    hidden = sum(go.hidden_seconds for go in gos)
    limit = sum(allowed(go.wall_seconds) for go in gos)
    if not mostly and (len(gos) < _MANY or hidden <= limit):
        return None
    return Cheated(
        "hidden-work",
        {
            "gos": len(gos),
            "hiding": len(hiding),
            "hidden_seconds": hidden,
            "allowed_seconds": limit,
            "wall_seconds": sum(go.wall_seconds for go in gos),
            "cpu_seconds": sum(go.cpu_seconds for go in gos),
        },
    )


def given_away(pid: int) -> int | None:
    """How often the first thread of `pid` gave the CPU away of itself; None if not told."""
    with suppress(OSError, ValueError), open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"voluntary_ctxt_switches:"):
                return int(line.split()[1])
    return None


def moving(pid: int) -> bool:
    """Whether a thread of `pid` has neither stopped nor ended."""
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] not in _STILL:
                    return True
    return False


def waited(before: int | None, after: int | None, gos: int, threads: int) -> Cheated | None:
    """Whether a program of one thread gave the CPU away in its windows.

    It gains nothing by that on both clocks, but no such thing is a computation. Threads wait
    for each other honestly.
    """
    if before is None or after is None or threads > 1:
        return None
    expected = _GIVEN_AWAY * gos
    if after - before <= expected + max(_SPARE, gos // 2):
        return None
    return Cheated("waited", {"waits": after - before, "expected": expected, "gos": gos})

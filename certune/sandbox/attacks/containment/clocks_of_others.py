"""How long other processes have computed, to the nanosecond, by their CPU clocks.

Tries: clock_gettime, clock_getres and clock_nanosleep on the clocks of a process of the judge's
  and of the parent: it tells who is being measured, when, and how fast.
Escape: such a clock could be read or waited for.
Held by: seccomp, namespaces
"""

import os
import time

from certune.sandbox.attacks.kit import aim, attempt, syscall


def clock(pid: int) -> int:
    """The CPU clock of a process, as the kernel names it."""
    return (~pid << 3) | 2


@attempt("read one")
def read() -> str:
    return f"CPU time of another process: {time.clock_gettime(clock(aim['victim']))}"


@attempt("see whether there is one")
def exists() -> str:
    return f"another process has a clock: {time.clock_getres(clock(aim['victim']))}"


@attempt("read the parent's")
def parent() -> str:
    if os.getppid() == 0:
        raise OSError("the parent is in another namespace")
    return f"CPU time of the parent: {time.clock_gettime(clock(os.getppid()))}"


@attempt("wait for one")
def wait() -> str:
    moment = (0).to_bytes(8, "little") + (1).to_bytes(8, "little")
    syscall("clock_nanosleep", clock(aim["victim"]), 1, moment, 0)
    return "waited until another process had computed"

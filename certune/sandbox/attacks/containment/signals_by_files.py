"""Signals to others sent by the kernel on the worker's behalf.

Tries: F_SETOWN to a process of the judge's with O_ASYNC on a pipe, F_SETOWN_EX, FIOSETOWN.
Escape: the process hears the signal.
Held by: seccomp, namespaces
"""

import fcntl
import os
import signal
import struct
import time
from collections.abc import Callable

from certune.sandbox.attacks.kit import aim, attempt, say


def arrange(own: Callable[[int], object]) -> None:
    """Ask for SIGUSR1 whenever the judge reads what is reported, or a pipe of its own moves."""
    report = aim["own"][-1]
    for fd, other in ((report, report), made()):
        if fd < 0:
            continue
        try:
            fcntl.fcntl(fd, 10, int(signal.SIGUSR1))  # F_SETSIG: else SIGIO
        except OSError:
            pass
        own(fd)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
        if other != fd:
            os.write(other, b"x")
    say("listen")  # the judge reads this
    time.sleep(0.1)


def made() -> tuple[int, int]:
    try:
        return os.pipe()
    except OSError:
        return -1, -1


@attempt("F_SETOWN")
def owner() -> None:
    arrange(lambda fd: fcntl.fcntl(fd, 8, aim["victim"]))


@attempt("F_SETOWN_EX")
def owner_extended() -> None:
    arrange(lambda fd: fcntl.fcntl(fd, 15, struct.pack("ii", 1, aim["victim"])))


@attempt("FIOSETOWN and FIOASYNC")
def by_ioctl() -> None:
    def own(fd: int) -> None:
        fcntl.ioctl(fd, 0x8901, struct.pack("i", aim["victim"]))
        fcntl.ioctl(fd, 0x5452, struct.pack("i", 1))

    arrange(own)


@attempt("the group of another process")
def group() -> None:
    arrange(lambda fd: fcntl.fcntl(fd, 8, -aim["victim_group"]))


@attempt("whoever has been asked for before")
def without_owner() -> None:
    arrange(lambda fd: None)

"""Signals to others sent by the kernel on the worker's behalf.

Tries: F_SETOWN to a process of the judge's with O_ASYNC on a pipe, F_SETOWN_EX, FIOSETOWN.
Escape: the process hears the signal.
Held by: seccomp, namespaces
"""

import fcntl
import os
import signal
import struct

from certune.sandbox.attacks.kit import aim, attempt


def pipe() -> tuple[int, int]:
    read, write = os.pipe()
    fcntl.fcntl(read, 10, int(signal.SIGUSR1))  # F_SETSIG
    return read, write


@attempt("F_SETOWN")
def owner() -> None:
    read, write = pipe()
    fcntl.fcntl(read, 8, aim["victim"])
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC)
    os.write(write, b"x")


@attempt("F_SETOWN_EX")
def owner_extended() -> None:
    read, write = pipe()
    fcntl.fcntl(read, 15, struct.pack("ii", 1, aim["victim"]))
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC)
    os.write(write, b"x")


@attempt("FIOSETOWN and FIOASYNC on a pipe")
def by_ioctl() -> None:
    read, write = pipe()
    fcntl.ioctl(read, 0x8901, struct.pack("i", aim["victim"]))
    fcntl.ioctl(read, 0x5452, struct.pack("i", 1))
    os.write(write, b"x")


@attempt("the group of the judge")
def group() -> None:
    read, write = os.pipe()
    fcntl.fcntl(read, 10, int(signal.SIGURG))
    fcntl.fcntl(read, 8, -aim["victim_group"])
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC)
    os.write(write, b"x")

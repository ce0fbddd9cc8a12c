"""Modes, times, owners and extended attributes, which Landlock does not cover.

Tries: chmod, fchmodat2, utime, chown, setxattr on files of the judge's.
Escape: an attribute differs afterwards.
Held by: seccomp, namespaces
"""

import ctypes
import os

from certune.sandbox.attacks.kit import aim, attempt, syscall

target = aim["open_file"]


@attempt("chmod")
def chmod() -> None:
    os.chmod(target, 0o777)


@attempt("fchmodat2")
def chmod_at() -> None:
    syscall("fchmodat2", -100, target.encode(), 0o777, 0)


@attempt("fchmod after a read-only open")
def fchmod() -> None:
    os.fchmod(os.open(target, os.O_RDONLY), 0o777)


@attempt("utime")
def utime() -> None:
    os.utime(target, (1, 1))


@attempt("chown")
def chown() -> None:
    os.chown(target, 12345, 12345)


@attempt("setxattr")
def setxattr() -> None:
    os.setxattr(target, "user.certune", b"scribbled")


# By every other number: what the C library calls today is one of several doors.
NAME = target.encode()
TIMES = (ctypes.c_int64 * 4)(1, 0, 1, 0)
DOORS: dict[str, tuple[object, ...]] = {
    "chmod": (NAME, 0o777),
    "fchmodat": (-100, NAME, 0o777),
    "utime": (NAME, TIMES),
    "utimes": (NAME, TIMES),
    "futimesat": (-100, NAME, TIMES),
    "utimensat": (-100, NAME, TIMES, 0),
    "chown": (NAME, 12345, 12345),
    "lchown": (NAME, 12345, 12345),
    "fchownat": (-100, NAME, 12345, 12345, 0),
    "lsetxattr": (NAME, b"user.certune", b"x", 1, 0),
    "removexattr": (NAME, b"user.kept"),
}
for name, arguments in DOORS.items():

    @attempt(f"the system call {name}")
    def door(name: str = name, arguments: tuple[object, ...] = arguments) -> None:
        syscall(name, *arguments)

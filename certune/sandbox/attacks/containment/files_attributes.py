"""Modes, times, owners and extended attributes, which Landlock does not cover.

Tries: chmod, fchmodat2, utime, chown, setxattr on files of the judge's.
Escape: an attribute differs afterwards.
Held by: seccomp, namespaces
"""

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

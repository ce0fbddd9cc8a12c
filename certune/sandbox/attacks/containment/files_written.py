"""Files of the judge's, changed.

Tries: append to, overwrite, truncate a file that everybody may write.
Escape: the file's content differs afterwards.
Held by: landlock, namespaces
"""

import os

from certune.sandbox.attacks.kit import aim, attempt, call, syscall

target = aim["open_file"]


@attempt("append")
def append() -> None:
    fd = os.open(target, os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"scribbled")


@attempt("overwrite in place")
def overwrite() -> None:
    fd = os.open(target, os.O_RDWR)
    os.pwrite(fd, b"scribbled", 0)


@attempt("truncate by name")
def truncate() -> None:
    os.truncate(target, 1)


@attempt("open with O_TRUNC")
def emptied() -> None:
    os.close(os.open(target, os.O_RDONLY | os.O_TRUNC))


@attempt("creat")
def creat() -> None:
    os.close(call("creat", target.encode(), 0o600))


@attempt("fallocate after a read-only open")
def allocate() -> None:
    fd = os.open(target, os.O_RDONLY)
    syscall("fallocate", fd, 0, 0, 4096)

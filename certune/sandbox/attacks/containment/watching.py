"""Watch what others do.

Tries: inotify and fanotify on the judge's folder, leases and locks on files that may be read.
Escape: a watch was set, or a lock is in the judge's way.
Held by: seccomp, landlock, namespaces
"""

import fcntl
import os

from certune.sandbox.attacks.kit import aim, attempt, call, syscall

readable = f"{aim['package']}/__init__.py"


@attempt("inotify on the judge's folder")
def inotify() -> str:
    fd = call("inotify_init1", 0)
    call("inotify_add_watch", fd, aim["folder"].encode(), 0xFFF)
    return "sees what the judge does in its folder"


@attempt("fanotify")
def fanotify() -> str:
    fd = syscall("fanotify_init", 0x200, 0)
    os.close(fd)
    return "may watch a whole file system"


@attempt("lock a file that the judge uses")
def lock() -> str:
    fd = os.open(readable, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(fd, fcntl.LOCK_UN)
    return "an exclusive lock on a file of the judge's"


@attempt("a record lock")
def record() -> str:
    fd = os.open(readable, os.O_RDONLY)
    fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return "a record lock on a file of the judge's"


@attempt("a lease, by which opening it waits")
def lease() -> str:
    fd = os.open(readable, os.O_RDONLY)
    fcntl.fcntl(fd, 1024, fcntl.F_RDLCK)
    return "a lease on a file of the judge's"


@attempt("be told of changes in a folder")
def notify() -> str:
    fd = os.open(aim["package"], os.O_RDONLY)
    fcntl.fcntl(fd, 1026, 0x80000002)
    return "sees changes in the folder of certune"

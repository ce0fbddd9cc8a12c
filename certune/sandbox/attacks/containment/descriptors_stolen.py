"""Descriptors of other processes, stolen by system call.

Tries: pidfd_open and pidfd_getfd on a process of the judge's that holds a secret file.
Escape: the secret comes back, or a handle on the process was had.
Held by: seccomp, namespaces
"""

import os

from certune.sandbox.attacks.kit import aim, attempt, syscall


@attempt("pidfd_open of another process")
def handle() -> str:
    os.close(syscall("pidfd_open", aim["victim"], 0))
    return "a handle on a process of the judge's"


@attempt("pidfd_getfd")
def steal() -> bytes:
    process = syscall("pidfd_open", aim["victim"], 0)
    return os.pread(syscall("pidfd_getfd", process, aim["victim_fd"], 0), 200, 0)


@attempt("pidfd_open of the parent")
def parent() -> str:
    os.close(syscall("pidfd_open", os.getppid(), 0))
    return "a handle on the parent"

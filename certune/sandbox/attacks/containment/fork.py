"""Start another process.

Tries: fork, vfork, clone, clone3, posix_spawn.
Escape: more processes run than are allowed.
Held by: seccomp
"""

import ctypes
import os
import signal

from certune.sandbox.attacks.kit import attempt, call, did, libc, syscall


def child(pid: int) -> None:
    if pid == 0:
        did("a second process ran")
        os._exit(0)
    os.waitpid(pid, 0)


@attempt("fork")
def fork() -> None:
    child(os.fork())


@attempt("fork of the C library")
def of_libc() -> None:
    child(call("fork"))


@attempt("the system call fork")
def raw_fork() -> None:
    child(syscall("fork"))


@attempt("clone")
def clone() -> None:
    child(syscall("clone", signal.SIGCHLD, 0, 0, 0, 0))


@attempt("clone3")
def clone3() -> None:
    arguments = (ctypes.c_uint64 * 11)()
    arguments[4] = signal.SIGCHLD
    child(syscall("clone3", ctypes.byref(arguments), 88))


@attempt("clone that asks to be no thread, with a thread's other flags")
def half_a_thread() -> None:
    # Files and signal handlers shared, memory copied, not in the thread group.
    child(syscall("clone", 0x400 | 0x200 | signal.SIGCHLD, 0, 0, 0, 0))


@attempt("the C library's system()")
def system() -> str | None:
    return "a shell ran" if libc().system(b"exit 42") == 42 << 8 else None

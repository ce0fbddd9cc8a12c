"""Run a program that lies in no file.

Tries: memfd_create, write a program, execute it; memfd_secret; load a library from a memfd.
Escape: such a file could be made; the program answers on the report pipe.
Held by: seccomp
"""

import os

from certune.sandbox.attacks.kit import attempt, syscall


@attempt("memfd_create")
def anonymous() -> str:
    os.close(syscall("memfd_create", b"program", 0))
    return "an anonymous file in memory, which limits on files do not count"


@attempt("memfd_secret")
def secret() -> str:
    os.close(syscall("memfd_secret", 0))
    return "memory that no debugger sees"


@attempt("memfd_create, then execveat")
def execute() -> str:
    import ctypes
    import signal

    fd = syscall("memfd_create", b"program", 0)
    os.write(fd, b"#!/bin/sh\nexit 7\n")
    pid = syscall("clone", int(signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        null = (ctypes.c_char_p * 1)(None)
        try:
            syscall("execveat", fd, b"", null, null, 0x1000)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 7:
        raise OSError(f"the program ended with {status}")
    return "a program that lies in no file ran"

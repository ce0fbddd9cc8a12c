"""Take hold of another process as a debugger does.

Tries: PTRACE_ATTACH to a process of the judge's, read its secret, write, detach; PTRACE_SEIZE of
    the parent; PTRACE_TRACEME.
Escape: the secret comes back, memory is changed, or a trace was begun.
Held by: seccomp, namespaces
"""

import ctypes
import os

from certune.sandbox.attacks.kit import aim, attempt, call, libc

libc().ptrace.restype = ctypes.c_long
ATTACH, DETACH, PEEK, POKE, SEIZE = 16, 17, 2, 5, 0x4206


def trace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    return call(
        "ptrace", ctypes.c_long(request), pid, ctypes.c_void_p(address), ctypes.c_void_p(data)
    )


@attempt("attach, read, write, detach")
def attach() -> bytes:
    pid = aim["victim"]
    trace(ATTACH, pid)
    try:
        os.waitpid(pid, 0)
        words = []
        for offset in range(0, 64, 8):
            word = libc().ptrace(
                ctypes.c_long(PEEK), pid, ctypes.c_void_p(aim["secret_address"] + offset), None
            )
            words.append((word % 2**64).to_bytes(8, "little"))
        trace(POKE, pid, aim["canary_address"], int.from_bytes(b"scribble", "little"))
        return b"".join(words)
    finally:
        libc().ptrace(ctypes.c_long(DETACH), pid, None, None)


@attempt("seize the parent")
def seize() -> str:
    trace(SEIZE, os.getppid())
    trace(DETACH, os.getppid())
    return "the parent could be seized"


@attempt("ask to be traced")
def traced() -> str:
    trace(0, 0)
    return "the worker asked its parent to trace it, which stops it at every signal"

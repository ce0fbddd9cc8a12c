"""System V shared memory, semaphores and queues, which outlive their maker.

Tries: read a segment and a queue of the judge's, make a segment, semaphores, a queue.
Escape: the secret comes back, or an object is left.
Held by: seccomp, namespaces
"""

import ctypes

from certune.sandbox.attacks.kit import aim, attempt, libc, syscall


@attempt("read the judge's segment")
def read() -> bytes:
    which = syscall("shmget", aim["segment"], 0, 0)
    libc().shmat.restype = ctypes.c_void_p
    address = libc().shmat(which, None, 0o10000)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "shmat")
    return ctypes.string_at(address, 64)


@attempt("make a segment")
def segment() -> None:
    syscall("shmget", aim["left_key"], 4096, 0o1666)


@attempt("make semaphores")
def semaphores() -> None:
    syscall("semget", aim["left_key"], 1, 0o1666)


@attempt("make a queue")
def queue() -> None:
    syscall("msgget", aim["left_key"], 0o1666)


@attempt("what segments there are")
def info() -> str:
    room = ctypes.create_string_buffer(256)
    return f"up to segment {syscall('shmctl', 0, 14, room)}"

"""POSIX message queues.

Tries: read the judge's, write to it, make one.
Escape: the secret comes back, or a queue is left.
Held by: seccomp, namespaces
"""

import ctypes
import os

from certune.sandbox.attacks.kit import aim, attempt, call, libc


@attempt("receive from the judge's queue")
def receive() -> bytes:
    fd = call("mq_open", f"/{aim['queue']}".encode(), os.O_RDONLY | os.O_NONBLOCK)
    room = ctypes.create_string_buffer(8192)
    if libc().mq_receive(fd, room, ctypes.c_size_t(8192), None) < 0:
        raise OSError(ctypes.get_errno(), "mq_receive")
    return room.raw[:200]


@attempt("make a queue")
def make() -> None:
    call("mq_open", f"/{aim['nonce']}".encode(), os.O_CREAT | os.O_RDWR, 0o666, None)


@attempt("through its file system")
def files() -> bytes:
    return " ".join(os.listdir("/dev/mqueue")).encode() + b"\n"

"""Objects of the kernel that outlive processes: System V, message queues, keys. Through ctypes."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

from certune.sandbox.attacks.kit import call, libc, syscall

_REMOVE = 0


class Planted:
    """A segment, a queue and a key of the judge's, each with a secret; those that can be had."""

    def __init__(self, secrets: dict[str, str], name: str, segment: int) -> None:
        self.segment = segment
        self.queue = name
        self.key = name
        self._segment_id = self._key_id = -1
        self._queue_fd = -1
        try:
            self._segment_id = syscall("shmget", segment, 4096, 0o1644)
            libc().shmat.restype = ctypes.c_void_p
            address = libc().shmat(self._segment_id, None, 0)
            text = secrets["segment"].encode()
            ctypes.memmove(address, text, len(text))
            libc().shmdt(ctypes.c_void_p(address))
        except OSError:
            pass
        try:
            flags = os.O_CREAT | os.O_RDWR | os.O_NONBLOCK
            self._queue_fd = call("mq_open", f"/{name}".encode(), flags, 0o666, None)
            for _ in range(4):
                call("mq_send", self._queue_fd, secrets["queue"].encode(), len(secrets["queue"]), 0)
        except OSError:
            pass
        try:
            secret = secrets["key"].encode()
            self._key_id = syscall("add_key", b"user", name.encode(), secret, len(secret), -4)
        except OSError:
            pass

    def close(self) -> None:
        """Take all of it away."""
        for which, arguments in (
            ("shmctl", (self._segment_id, _REMOVE, None)),
            ("mq_unlink", (self.queue.encode(),)),
            ("keyctl", (9, self._key_id, -4)),
        ):
            with suppress(OSError):
                syscall(which, *arguments)
        if self._queue_fd >= 0:
            os.close(self._queue_fd)


def left(key: int, name: str) -> list[str]:
    """What an attack left under `key` or `name`; it is removed."""
    found = []
    for kind, get, arguments in (
        ("shared memory", "shmget", (key, 0, 0)),
        ("semaphores", "semget", (key, 0, 0)),
        ("a message queue", "msgget", (key, 0)),
    ):
        try:
            which = syscall(get, *arguments)
        except OSError:
            continue
        found.append(f"left {kind} behind")
        remove = get.replace("get", "ctl")
        with suppress(OSError):
            syscall(remove, *((which, 0, 0, None) if remove == "semctl" else (which, 0, None)))
    try:
        syscall("mq_unlink", name.encode())
    except OSError:
        pass
    else:
        found.append("left a POSIX message queue behind")
    return found

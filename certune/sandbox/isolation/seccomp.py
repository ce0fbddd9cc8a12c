"""Seccomp: a filter on the system calls of the calling thread and its children."""

from __future__ import annotations

import ctypes
import struct

from certune.sandbox.isolation.syscalls import call

_SET_MODE_FILTER = 1
_GET_ACTION_AVAIL = 2


def check() -> None:
    """See that filters that answer with an errno are there.

    Raises:
        OSError: they are not.
    """
    call("seccomp", _GET_ACTION_AVAIL, 0, struct.pack("=I", 0x0005_0000))


def install(program: bytes) -> None:
    """Put the calling thread under `program` (an array of `struct sock_filter`) for good.

    Raises:
        OSError: EACCES without `no_new_privs`, EINVAL for a program that is none.
    """
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    call("seccomp", _SET_MODE_FILTER, 0, head)

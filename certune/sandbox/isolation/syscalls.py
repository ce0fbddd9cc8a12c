"""System calls that Python does not wrap, with errno as `OSError`.

All go through libc's `syscall` with every integer as a full word: ctypes passes a plain integer
as 32 bits, which silently cuts pointers.
"""

from __future__ import annotations

import ctypes
import os

from certune.sandbox.isolation.numbers import MACHINE, number

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
PR_CAP_AMBIENT = 47

CLONE_THREAD = 0x00010000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """The system call `name`; bytes and buffers are passed by address, None as zero.

    Raises:
        OSError: as the kernel says; ENOSYS where this machine has no such call.
    """
    found = number(name) if MACHINE in ("x86_64", "aarch64") else None
    if found is None:
        raise OSError(38, f"{name}: no such system call on {MACHINE}")
    words = [
        ctypes.c_long(0 if one is None else one)
        if one is None or isinstance(one, int)
        else ctypes.c_char_p(one)
        if isinstance(one, bytes)
        else ctypes.cast(one, ctypes.c_void_p)
        for one in arguments
    ]
    result: int = _syscall(ctypes.c_long(found), *words)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def prctl(option: int, second: int = 0, third: int = 0) -> int:
    """prctl(2).

    Raises:
        OSError: as the kernel says.
    """
    return call("prctl", option, second, third, 0, 0)


def threads() -> int:
    """How many threads run in this process: exactly 1, or 2 for "more than one".

    `unshare(CLONE_THREAD)` does nothing but fail in a process of several threads, which needs no
    /proc; where a filter refuses unshare, /proc is counted.

    Raises:
        OSError: neither way is open.
    """
    try:
        call("unshare", CLONE_THREAD)
    except OSError as error:
        if error.errno == 22:
            return 2
        return min(2, len(os.listdir("/proc/self/task")))
    return 1

"""Capabilities, user ids, limits and the parent-death signal of the calling process."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct

from certune.sandbox.isolation import syscalls
from certune.sandbox.isolation.syscalls import prctl

TYPE_CHECKING = False  # `typing` takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable

_VERSION_3 = 0x20080522
# SECBIT_NOROOT, NO_SETUID_FIXUP, KEEP_CAPS off for good, NO_CAP_AMBIENT_RAISE, each locked.
_SECUREBITS = 0b11_11_11_11 & ~(1 << 4)


def capabilities() -> int:
    """The effective capabilities as a bit set."""
    data = ctypes.create_string_buffer(24)
    syscalls.call("capget", struct.pack("=Ii", _VERSION_3, 0), data)
    effective_low, _, _, effective_high, _, _ = struct.unpack("=6I", data.raw)
    return int(effective_low | effective_high << 32)


def drop_capabilities() -> None:
    """Give up every capability, and the ways to get one back.

    Raises:
        OSError: the kernel refuses.
    """
    if capabilities() & 1 << 8:  # SETPCAP
        prctl(syscalls.PR_SET_SECUREBITS, _SECUREBITS)
        for one in range(64):
            try:
                prctl(syscalls.PR_CAPBSET_DROP, one)
            except OSError:  # beyond the last that this kernel knows
                break
    syscalls.call("capset", struct.pack("=Ii", _VERSION_3, 0), struct.pack("=6I", *[0] * 6))


def die_with(parent: int) -> None:
    """Have SIGKILL sent to this process when its parent `parent` ends.

    To be called after every change of user ids, which clears it. The kernel watches the thread
    that forked; the keeper has only one.
    """
    prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def become(uid: int) -> None:
    """Become user and group `uid` with no other group, and stay inspectable by oneself.

    Raises:
        OSError: the kernel refuses.
    """
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # The change cleared it, and with it the right to write one's own uid_map.
    prctl(syscalls.PR_SET_DUMPABLE, 1)


def ask_as(uid: int, question: Callable[[], int]) -> int:
    """The answer of a child that becomes user `uid` first; 0 where it fails."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            become(uid)
            os.write(writing, str(question()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        return int(os.read(reading, 64) or 0)
    finally:
        os.close(reading)
        os.waitpid(child, 0)


def limit(limits: dict[str, float], address_space: int | None) -> None:
    """Set the resource limits of the calling process.

    `address_space` counts what is mapped already; None leaves it without limit.
    """
    # At the hard limit the kernel kills at once; the keeper ends it earlier, to the millisecond.
    seconds = int(limits["cpu_seconds"]) + 1
    _lower(resource.RLIMIT_CPU, seconds, seconds)
    for which, most in (
        (resource.RLIMIT_FSIZE, int(limits["file_bytes"])),
        (resource.RLIMIT_NOFILE, int(limits["open_files"])),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 64),
        (resource.RLIMIT_RTPRIO, 0),
        (resource.RLIMIT_NICE, 0),
    ):
        _lower(which, most, most)
    if address_space is not None:
        _lower(resource.RLIMIT_AS, address_space, address_space)


def limit_processes(most: int) -> None:
    """At most `most` processes and threads for this user in this user namespace."""
    _lower(resource.RLIMIT_NPROC, most, most)


def _lower(which: int, soft: int, hard: int) -> None:
    _, now = resource.getrlimit(which)
    if now != resource.RLIM_INFINITY:
        soft, hard = min(soft, now), min(hard, now)
    resource.setrlimit(which, (soft, hard))

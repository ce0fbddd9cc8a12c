"""Make the kernel hold memory that no limit on the process counts.

Tries: pipes with their buffers grown and filled, locked memory, pending signals, timers.
Escape: more than the limit on memory lies in pipes, or memory could be locked.
Held by: limits, seccomp
"""

import os
import signal

from certune.sandbox.attacks.kit import aim, attempt, syscall


@attempt("fill large pipes")
def pipes() -> str | None:
    taken = 0
    for _ in range(2000):
        try:
            _, write = os.pipe()
            os.set_blocking(write, False)
            try:
                syscall("fcntl", write, 1031, 2**20)  # F_SETPIPE_SZ
            except OSError:
                pass
            while taken < 2**29:
                taken += os.write(write, bytes(2**16))
        except OSError:
            if taken == 0:
                raise
        if taken > aim["limits"]["memory_bytes"]:
            return f"{taken} bytes in pipes with a limit of {aim['limits']['memory_bytes']}"
    return None


@attempt("lock memory")
def locked() -> str:
    syscall("mlockall", 3)
    return "all memory, and all to come, locked"


@attempt("queue signals to itself")
def queued() -> str | None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
    count = 0
    try:
        while count < 20_000:
            info = (
                signal.SIGRTMIN.to_bytes(4, "little")
                + bytes(4)
                + (-1).to_bytes(4, "little", signed=True)
            )
            syscall("rt_sigqueueinfo", os.getpid(), int(signal.SIGRTMIN), info.ljust(128, b"\0"))
            count += 1
    except OSError:
        if count == 0:
            raise
    return f"{count} signals queued" if count > 5000 else None

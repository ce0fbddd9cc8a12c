"""Signals to processes of the judge's.

Tries: kill, tgkill, tkill, rt_sigqueueinfo, pidfd_send_signal; the parent; everybody; the group.
Escape: the process hears a signal, or a signal could be sent to the parent.
Held by: seccomp, namespaces
"""

import os
import signal

from certune.sandbox.attacks.kit import aim, attempt, syscall

pid = aim["victim"]
USER = int(signal.SIGUSR1)


@attempt("kill")
def kill() -> None:
    os.kill(pid, USER)


@attempt("tgkill")
def to_thread() -> None:
    syscall("tgkill", pid, pid, USER)


@attempt("tkill")
def to_task() -> None:
    syscall("tkill", pid, USER)


@attempt("rt_sigqueueinfo")
def queue() -> None:
    info = USER.to_bytes(4, "little") + bytes(4) + (-1).to_bytes(4, "little", signed=True)
    syscall("rt_sigqueueinfo", pid, USER, info.ljust(128, b"\0"))


@attempt("pidfd_send_signal")
def by_handle() -> None:
    syscall("pidfd_send_signal", syscall("pidfd_open", pid, 0), USER, None, 0)


@attempt("the parent, with a signal that does nothing")
def parent() -> str | None:
    if os.getppid() == 0:
        raise OSError("the parent is in another namespace")
    os.kill(os.getppid(), signal.SIGURG)
    return "the parent could be sent a signal"


@attempt("everybody, with no signal")
def everybody() -> str:
    os.kill(-1, 0)
    return "everybody could be sent a signal"


@attempt("the judge's process group")
def group() -> str:
    os.kill(-aim["judge_group"], signal.SIGURG)
    return "the judge's process group could be sent a signal"

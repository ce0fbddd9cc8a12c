"""Become another user, or get capabilities back.

Tries: setuid to root and others, setgid, setgroups, capset, an ambient capability.
Escape: it runs as another user, or holds a capability.
Held by: privileges, seccomp
"""

import ctypes
import os
import time

from certune.sandbox.attacks.kit import attempt, libc, say, syscall


@attempt("be looked at from outside")
def seen() -> None:
    say("look", at="privileges")  # the judge reads them from the kernel
    time.sleep(0.3)


for name, arguments in (
    ("setresuid", (0, 0, 0)),
    ("setresuid", (1234, 1234, 1234)),
    ("setresgid", (4321, 4321, 4321)),
):

    @attempt(f"{name}{arguments}")
    def become(name: str = name, arguments: tuple[int, ...] = arguments) -> str:
        before = os.getresuid(), os.getresgid()
        syscall(name, *arguments)
        if (os.getresuid(), os.getresgid()) == before:
            return f"{name} was allowed"
        return f"became {os.getresuid()}, {os.getresgid()}"


@attempt("setgroups")
def groups() -> str:
    os.setgroups([4321])
    return "other groups"


@attempt("capabilities held")
def held() -> str | None:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    syscall("capget", header, data)
    return f"capabilities {data[0]:x} {data[3]:x}" if data[0] or data[3] else None


@attempt("capabilities taken")
def taken() -> str:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)(0xFFFFFFFF, 0xFFFFFFFF, 0, 0xFF, 0xFF, 0)
    syscall("capset", header, data)
    return "every capability"


@attempt("an ambient capability")
def ambient() -> str:
    if libc().prctl(47, 2, ctypes.c_ulong(21), 0, 0) != 0:
        raise OSError("PR_CAP_AMBIENT")
    return "an ambient capability"


@attempt("new privileges by a set-user-id program are still possible")
def privileges() -> str:
    answer = libc().prctl(39, 0, 0, 0, 0)
    if answer != 0:
        raise OSError("no_new_privs is set" if answer == 1 else "PR_GET_NO_NEW_PRIVS refused")
    return "a set-user-id program would get its rights"

"""Calls for the administrator.

Tries: reboot, kexec, modules, swap, accounting, clock, host name, ports of the machine, the log.
Each is asked in a way that changes nothing where it is allowed.
Escape: the kernel would have done it.
Held by: seccomp, privileges
"""

import ctypes
import os

from certune.sandbox.attacks.kit import attempt, call, syscall

EINVAL, EFAULT, ENOENT, ENOEXEC, EBADF = 22, 14, 2, 8, 9


def allowed(errors: tuple[int, ...], name: str, *arguments: object) -> str:
    """A claim if the call got past the question whether it may, as `errors` tell."""
    try:
        syscall(name, *arguments)
    except OSError as error:
        if error.errno not in errors:
            raise
    return f"may call {name}"


@attempt("reboot, with a wrong magic number")
def reboot() -> str:
    return allowed((EINVAL,), "reboot", 1, 2, 3, 0)


@attempt("load a module, from no memory")
def module() -> str:
    return allowed((EFAULT, ENOEXEC, EINVAL), "init_module", None, 0, None)


@attempt("remove a module that is not there")
def remove() -> str:
    return allowed((ENOENT, EFAULT), "delete_module", b"certune-none", 0)


@attempt("swap off what is no swap")
def swap() -> str:
    return allowed((EINVAL, ENOENT), "swapoff", b"/")


@attempt("accounting to a folder")
def accounting() -> str:
    return allowed((21, 13), "acct", b"/")


@attempt("set the clock's tick to what it is")
def clock() -> str:
    state = ctypes.create_string_buffer(256)
    syscall("adjtimex", state)
    wanted = bytearray(256)
    wanted[0:4] = (0x4000).to_bytes(4, "little")
    wanted[88:96] = state.raw[88:96]
    syscall("adjtimex", ctypes.create_string_buffer(bytes(wanted), 256))
    return "may change the clock"


@attempt("set the host's name to what it is")
def host() -> str:
    name = os.uname().nodename.encode()
    syscall("sethostname", name, len(name))
    return "may change the host's name"


@attempt("the kernel's log")
def log() -> str:
    room = ctypes.create_string_buffer(100)
    syscall("syslog", 3, room, 100)
    return "may read the kernel's log"


@attempt("ports of the machine")
def ports() -> str:
    return allowed((), "iopl", 3)


@attempt("hang up every terminal")
def hang_up() -> str:
    # Without privilege EPERM; a worker has no terminal of its own, so nothing is hung up.
    if os.path.exists("/dev/tty") and call("isatty", 0) == 1:
        raise OSError("there is a terminal here")
    return allowed((), "vhangup")

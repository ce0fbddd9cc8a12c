"""Landlock: which files a process may open, and that it may reach nobody outside.

https://docs.kernel.org/userspace-api/landlock.html. A ruleset is made once and handed to the
workers as a descriptor; each enforces it on itself.
"""

from __future__ import annotations

import os
import stat
import struct

from certune.sandbox.isolation.syscalls import call

TYPE_CHECKING = False  # `typing` takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Iterable

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
_REMOVE = 1 << 4 | 1 << 5  # folders, files
_MAKE = 1 << 7 | 1 << 8 | 1 << 12  # folders, files, symbolic links
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_IOCTL_DEV = 1 << 15
# Rights that make sense on a file; the kernel refuses the others in a rule about one.
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _IOCTL_DEV

READ = READ_FILE | READ_DIR
# A folder of one's own: no program in it, no device, socket or fifo.
OWN = READ | WRITE_FILE | _TRUNCATE | _REMOVE | _MAKE | _REFER

# How many file rights, network rights and scopes each version of the interface knows.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def version() -> int:
    """The version of the kernel's Landlock interface.

    Raises:
        OSError: there is none (ENOSYS), or it is switched off (EOPNOTSUPP).
    """
    return call("landlock_create_ruleset", None, 0, 1)


def ruleset(
    readable: Iterable[str],
    executable: Iterable[str] = (),
    own: Iterable[str] = (),
    devices: Iterable[str] = (),
) -> int:
    """A ruleset's descriptor: everything is handled, only what is named is allowed.

    `readable` files and folders may be read, `executable` ones also executed, those of `own` also
    written to, `devices` read, written and told what to do. Names that do not exist are passed
    over.

    Raises:
        OSError: Landlock cannot be had.
    """
    known = version()
    handled = (1 << _FILE_RIGHTS[min(known, 5)]) - 1
    attributes = struct.pack(
        "=QQQ",
        handled,
        _BIND_AND_CONNECT if known >= 4 else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS if known >= 6 else 0,
    )
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    made = call("landlock_create_ruleset", attributes[:size], size, 0)
    try:
        for paths, rights in (
            (readable, READ),
            (executable, READ | EXECUTE),
            (own, OWN),
            (devices, READ | WRITE_FILE | _IOCTL_DEV),
        ):
            for path in paths:
                _allow(made, path, rights & handled)
    except BaseException:
        os.close(made)
        raise
    return made


def _allow(made: int, path: str, rights: int) -> None:
    try:
        below = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(below).st_mode):
            rights &= _OF_FILES
        call("landlock_add_rule", made, 1, struct.pack("=Qi", rights, below), 0)
    finally:
        os.close(below)


def enforce(made: int) -> None:
    """Put the calling thread and its future children under a ruleset, for good.

    Raises:
        OSError: EPERM without `no_new_privs`.
    """
    call("landlock_restrict_self", made, 0)

"""Entry: see that the walls of the levels that have them stand, and that packages load.

Run when a level is tried. It fails loudly where a wall that was asked for lets something through.
"""

from __future__ import annotations

import os

from certune.sandbox.isolation.syscalls import PR_GET_NO_NEW_PRIVS, prctl


def main(fds: tuple[int, ...]) -> None:
    """Import what workers use; under `no_new_privs`, try a file, a socket and a fork."""
    import ctypes  # noqa: F401

    import numpy  # noqa: F401

    del fds
    if not prctl(PR_GET_NO_NEW_PRIVS):  # a level without walls
        return
    try:
        os.listdir("/etc")
    except OSError:
        pass
    else:
        raise RuntimeError("a folder of the system can be listed")
    try:
        child = os.fork()
    except OSError:
        return
    if child == 0:
        os._exit(0)
    raise RuntimeError("a process can be started")

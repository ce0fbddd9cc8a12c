"""Where a worker loads a shared object from that it was given as a descriptor."""

from __future__ import annotations

import os

# Memory of the worker's own, mounted where there is no /proc (`isolation.namespaces.CODE`).
_COPIES = "/.code/own"


def path(fd: int) -> str:
    """A path to what `fd` holds, for `ctypes.CDLL`; `Launch.code` has to name it."""
    copy = f"{_COPIES}/{fd}"
    return copy if os.path.exists(copy) else f"/proc/self/fd/{fd}"

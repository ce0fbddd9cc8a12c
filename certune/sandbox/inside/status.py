"""What a worker tells the keeper about itself: single letters, at most once each.

Nothing is believed but what it says against the candidate: that it was reached (`loaded`), or
which limit ended it.
"""

from __future__ import annotations

import errno
import os

STATUS_FD = 3

LOADED = b"L"
OUT_OF_MEMORY = b"M"
TOO_MANY_PROCESSES = b"P"
FILE_TOO_LARGE = b"F"
FAILED_TO_START = b"E"

_SPENT = {
    errno.EAGAIN: TOO_MANY_PROCESSES,
    errno.EFBIG: FILE_TOO_LARGE,
    errno.ENOMEM: OUT_OF_MEMORY,
}


def loaded() -> None:
    """Say that from now on the candidate's code runs and answers for what happens."""
    _say(LOADED)


def why(error: BaseException) -> None:
    """Say which limit an exception speaks of that nobody caught, if any."""
    if isinstance(error, MemoryError):
        _say(OUT_OF_MEMORY)
    elif isinstance(error, OSError):
        _say(_SPENT.get(error.errno or 0, b""))
    elif isinstance(error, RuntimeError) and "start new thread" in str(error):
        _say(TOO_MANY_PROCESSES)


def spent(letter: bytes) -> None:
    """Say which limit was reached."""
    _say(letter)


def failed_to_start(reason: str) -> None:
    """Say that the worker could not be set up: trouble of our own."""
    _say(FAILED_TO_START + reason.encode(errors="replace")[:2000])


def _say(what: bytes) -> None:
    try:
        os.write(STATUS_FD, what)
    except OSError:  # nobody listens
        return

"""What an attack has at hand inside the worker: its aim, a mark for each attempt, system calls.

A report is one line of JSON on the report pipe, short enough to be written in one piece. A mark is
written *before* the attempt, so that a kernel that kills the process for trying leaves it too.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import json
import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from certune.sandbox.attacks.numbers import number

# What an attempt may raise because it was held. Anything else is a mistake in the script, and a
# broken script must not pass for one that was held.
HELD = (OSError, MemoryError, RuntimeError)
_LONGEST = 2000

aim: dict[str, Any] = {}
_fd = -1
_skip = 0
_seen = 0
_libc: ctypes.CDLL | None = None


def begin(target: dict[str, Any], report: int) -> None:
    """Say where things are planted and where to report; called by the worker's entry."""
    global _fd, _skip, _seen
    aim.clear()
    aim.update(target)
    _fd, _skip, _seen = report, int(target.get("skip", 0)), 0


def say(kind: str, **details: Any) -> None:
    """Write one line of report; silent when the pipe is gone."""
    line = json.dumps({"kind": kind, "nonce": aim.get("nonce", ""), **details}).encode() + b"\n"
    with suppress(OSError):
        os.write(_fd, line)


def got(data: bytes) -> None:
    """Hand out bytes that were read; the judge looks for its secrets in them."""
    for start in range(0, min(len(data), 64 * _LONGEST), _LONGEST):
        piece = data[max(0, start - 80) : start + _LONGEST]  # a secret may lie across two pieces
        say("got", data=base64.b64encode(piece).decode())


def did(what: str) -> None:
    """Claim something that ought to have been refused."""
    say("did", what=what[:300])


def attempt(what: str) -> Callable[[Callable[[], bytes | str | None]], None]:
    """Mark `what`, do it, and report how it went.

    Bytes returned are what was read; a text is a claim of what was reached; None leaves the
    judging to what is seen from outside.
    """

    def run(action: Callable[[], bytes | str | None]) -> None:
        global _seen
        _seen += 1
        if _seen <= _skip:
            return
        say("trying", what=what)
        try:
            result = action()
        except HELD as error:
            say("refused", what=what, why=f"{type(error).__name__}: {error}"[:300])
        except Exception:  # noqa: BLE001 - a mistake in the script is reported as one
            say("broken", what=what, why=traceback.format_exc()[-600:])
        else:
            if isinstance(result, bytes):
                got(result)
            elif isinstance(result, str):
                did(result)
            say("done", what=what)

    return run


def libc() -> ctypes.CDLL:
    """The C library, with errno kept."""
    global _libc
    if _libc is None:
        _libc = ctypes.CDLL(None, use_errno=True)
        _libc.syscall.restype = ctypes.c_long
    return _libc


def syscall(name: str | int, *args: Any) -> int:
    """Make a system call; integers are passed as 64 bits, pointers and bytes as they are.

    Raises:
        OSError: the kernel refused, or the machine has no such call.
    """
    which = name if isinstance(name, int) else number(name)
    if which < 0:
        raise OSError(errno.ENOSYS, f"{name} is not a call of this machine")
    passed = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    ctypes.set_errno(0)
    result = int(libc().syscall(ctypes.c_long(which), *passed))
    if result == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return result


def call(function: str, *args: Any) -> int:
    """Call a function of the C library that answers -1 and sets errno.

    Raises:
        OSError: it failed.
    """
    ctypes.set_errno(0)
    result = int(getattr(libc(), function)(*args))
    if result == -1:
        raise OSError(ctypes.get_errno(), f"{function}: {os.strerror(ctypes.get_errno())}")
    return result


def survive(seconds: float = 6.0) -> None:
    """Live on with the report pipe open, beating; ends by itself or when nobody listens.

    Ends the calling process.
    """
    import signal
    import time

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        say("beat", pid=os.getpid())
        try:
            os.write(_fd, b"\n")
        except OSError:
            break
        time.sleep(0.05)
    os._exit(0)

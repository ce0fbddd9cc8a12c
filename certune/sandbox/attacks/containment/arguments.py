"""What the command line and the interpreter remember of the judge.

Tries: sys.argv, sys.orig_argv, /proc/self/cmdline, loaded modules and frames above the candidate.
Escape: a secret of the judge's comes back.
Held by: environment
"""

import gc
import sys
from pathlib import Path
from types import FrameType

from certune.sandbox.attacks.kit import attempt


@attempt("sys.argv, sys.orig_argv, sys.path")
def arguments() -> bytes:
    return repr([sys.argv, sys.orig_argv, sys.path]).encode()


@attempt("/proc/self/cmdline")
def command_line() -> bytes:
    return Path("/proc/self/cmdline").read_bytes()


@attempt("local variables of every frame")
def frames() -> bytes:
    seen = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        seen.append(repr(list(frame.f_locals.values())))
        frame = frame.f_back
    return repr(seen).encode()


@attempt("every string and bytes that the collector can reach")
def objects() -> bytes:
    found: list[bytes] = []
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            found += [value for value in thing.values() if isinstance(value, bytes)][:50]
            found += [value.encode() for value in thing.values() if isinstance(value, str)][:50]
    return b" ".join(text for text in found if b"certune-secret" in text)[:4000]

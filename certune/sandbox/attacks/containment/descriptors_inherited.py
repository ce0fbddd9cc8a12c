"""Descriptors that were open in the judge.

Tries: read every number that is open beside the worker's own, at offset 0 and onwards.
Escape: the content of a secret file that the judge holds open comes back.
Held by: descriptors
"""

import os

from certune.sandbox.attacks.kit import aim, attempt


@attempt("pread of every number below 4096")
def read() -> bytes:
    found = []
    for fd in range(4096):
        if fd in aim["own"]:
            continue
        try:
            found.append(b"%d: " % fd + os.pread(fd, 200, 0))
        except OSError:
            continue
    return b"\n".join(found)


@attempt("what each number is")
def kinds() -> bytes:
    found = []
    for fd in range(4096):
        try:
            found.append(f"{fd}: {os.readlink(f'/proc/self/fd/{fd}')}")
        except OSError:
            continue
    return "\n".join(found).encode()

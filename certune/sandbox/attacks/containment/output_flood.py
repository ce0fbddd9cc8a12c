"""Drown the judge in output.

Tries: write to standard output and error without end.
Escape: more than the limit comes back, or it goes on beyond its time.
Held by: limits
"""

import os

from certune.sandbox.attacks.kit import aim, attempt

limit = aim["limits"]["output_bytes"]

for fd in (1, 2):

    @attempt(f"flood descriptor {fd}")
    def flood(fd: int = fd) -> None:
        wrote = 0
        while wrote < limit * 64:
            wrote += os.write(fd, b"certune " * 2048)

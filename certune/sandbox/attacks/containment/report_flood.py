"""Drown the judge through the worker's own pipe.

Tries: write without end to the report pipe, lines without an end, no JSON, deep JSON.
Escape: the judge reads without bound or loses its composure.
Held by: limits
Waits: yes
"""

import os

from certune.sandbox.attacks.kit import aim, attempt

fd = aim["own"][-1]


@attempt("deep and malformed lines")
def malformed() -> None:
    for line in (
        b"\xff\xfe",
        b"[" * 20_000,
        b'{"kind": 1e999}',
        b'{"kind": "got", "data": "?"}',
        b"1",
    ):
        os.write(fd, line + b"\n")


@attempt("a line without an end")
def endless() -> None:
    for _ in range(4096):
        os.write(fd, b"x" * 65536)

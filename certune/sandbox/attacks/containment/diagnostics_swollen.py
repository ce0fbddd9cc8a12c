"""Make the account of its end too long to be told.

Tries: fill what is kept of standard error with bytes that grow most on their way to the judge,
    then fail.
Escape: the judge never hears how it ended, and takes it for trouble of its own.
Held by: limits
"""

import os

from certune.sandbox.attacks.kit import aim, attempt


@attempt("bytes that grow in every encoding, then an end by failure")
def swell() -> None:
    for pattern in (b"\xff", b"\x00", b'"\\', b"\x1b\x7f\x80"):
        wrote = 0
        while wrote < aim["limits"]["output_bytes"] // 5:
            wrote += os.write(2, pattern * 1024)
    os._exit(3)

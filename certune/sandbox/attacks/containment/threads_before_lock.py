"""A thread that was there before the lock, and is not bound by it.

Tries: a preloaded module has started a thread, which opens a secret when the candidate asks.
Escape: the thread brings the secret.
Held by: the refusal to lock with more than one thread
Preloads: certune.sandbox.attacks.threaded
"""

import time

from certune.sandbox.attacks import threaded
from certune.sandbox.attacks.kit import aim, attempt


@attempt("let the thread read a file")
def read() -> bytes:
    threaded.wanted.append(aim["open_secret"])
    end = time.monotonic() + 1.5
    while time.monotonic() < end and not threaded.found:
        time.sleep(0.02)
    if not threaded.found:
        raise OSError("the thread brought nothing")
    return threaded.found[0]

"""Start threads until something stops it.

Tries: 64 threads of Python, then threads made by clone alone.
Escape: more threads run than the limit says.
Held by: seccomp, limits
"""

import _thread
import time

from certune.sandbox.attacks.kit import aim, attempt


@attempt("64 threads")
def bomb() -> str | None:
    ran: list[int] = []

    def body() -> None:
        ran.append(1)
        time.sleep(0.3)

    try:
        for _ in range(64):
            _thread.start_new_thread(body, ())
    except RuntimeError:
        time.sleep(0.05)
        if not ran:
            raise
    time.sleep(0.1)
    if len(ran) + 1 > aim["limits"]["threads"]:
        return f"{len(ran)} threads ran beside the first"
    return None

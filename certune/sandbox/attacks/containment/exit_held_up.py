"""Code that runs when everything seems over.

Tries: atexit, destructors, a thread that never ends, an excepthook, a broken standard output.
Escape: it is still there clearly after its time, or ends in a way that passes for the judge's.
Held by: limits, session
Waits: yes
"""

import atexit
import sys
import time

from certune.sandbox.attacks.kit import attempt, say


def late() -> None:
    for _ in range(40):
        say("beat")
        time.sleep(0.1)


class Last:
    """Speaks from its destructor."""

    def __del__(self) -> None:
        late()


@attempt("atexit and a destructor that wait, then an exception")
def arrange() -> None:
    atexit.register(late)
    sys.certune_last = Last()  # type: ignore[attr-defined]
    sys.excepthook = lambda *_: late()
    sys.stdout = None
    raise SystemExit(0)

"""Stop itself, so that no signal but the last is acted on and its clock stands still.

Tries: SIGSTOP and SIGTSTP to itself.
Escape: it is still there clearly after its time.
Held by: limits, session
Waits: yes
"""

import os
import signal

from certune.sandbox.attacks.kit import attempt


@attempt("SIGTSTP")
def suspend() -> None:
    os.kill(os.getpid(), signal.SIGTSTP)


@attempt("SIGSTOP")
def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


@attempt("SIGTTIN by reading standard input")
def read() -> bytes:
    return os.read(0, 100)

"""Outlive the polite signals.

Tries: every signal ignored and blocked, then wait for longer than is allowed.
Escape: it is still there clearly after its time.
Held by: limits, session
Waits: yes
"""

import signal
import time

from certune.sandbox.attacks.kit import aim, attempt, say


@attempt("ignore and block every signal, then wait")
def wait() -> str:
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                continue
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    end = time.monotonic() + aim["limits"]["wall_seconds"] + 3
    while time.monotonic() < end:
        say("beat")
        time.sleep(0.2)
    return "was left alone for 3 s after its time"

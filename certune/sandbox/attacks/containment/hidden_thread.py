"""A thread that works on after the answer was given.

Tries: start a thread that is no daemon, then return.
Escape: it lives on after the worker was said to have ended.
Held by: seccomp, limits, session
"""

import threading
import time

from certune.sandbox.attacks.kit import attempt, say


def work() -> None:
    for _ in range(50):
        say("beat")
        time.sleep(0.1)


@attempt("a thread that goes on")
def start() -> None:
    threading.Thread(target=work).start()


@attempt("a daemon thread that goes on")
def start_daemon() -> None:
    threading.Thread(target=work, daemon=True).start()

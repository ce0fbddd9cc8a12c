"""Use more CPU time than is allowed, the warning signal ignored.

Tries: SIGXCPU ignored, a tight loop until somebody ends it.
Escape: it used clearly more than the limit.
Held by: limits
Waits: yes
"""

import os
import signal
import time

from certune.sandbox.attacks.kit import aim, attempt

signal.signal(signal.SIGXCPU, signal.SIG_IGN)


@attempt("a tight loop, SIGXCPU ignored")
def burn() -> str:
    allowed = aim["limits"]["cpu_seconds"] + 1.5
    while time.process_time() < allowed:
        for _ in range(100_000):
            os.getpid()
    return f"used {allowed} s with a limit of {aim['limits']['cpu_seconds']} s"

"""End the first thread and work on in another, as a process that is a zombie to all who look.

Tries: a second thread that beats on; the first one leaves by the system call that ends it alone.
Escape: it lives on after it was said to have ended, or beyond its time.
Held by: limits, session
Threads: 2
Waits: yes
"""

import _thread
import time

from certune.sandbox.attacks.kit import aim, attempt, say, syscall


@attempt("leave, and let the other go on")
def leave() -> None:
    def body() -> None:
        end = time.monotonic() + aim["limits"]["wall_seconds"] + 4
        while time.monotonic() < end:
            say("beat")
            time.sleep(0.05)

    _thread.start_new_thread(body, ())
    time.sleep(0.1)
    syscall("exit", 0)

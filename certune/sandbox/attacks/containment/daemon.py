"""A process that stays.

Tries: fork twice with a new session and every signal ignored, then live on.
Escape: something holds the report pipe open after the worker ended.
Held by: seccomp, session, namespaces
"""

import os
import signal

from certune.sandbox.attacks.kit import attempt, survive


@attempt("fork twice, with a new session between")
def daemon() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in signal.valid_signals():
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    continue
            survive()
        os._exit(0)
    os.wait()


@attempt("fork once, into another group")
def group() -> None:
    if os.fork() == 0:
        os.setpgid(0, 0)
        survive()


@attempt("share memory, not the fate: clone with CLONE_PARENT")
def sibling() -> None:
    from certune.sandbox.attacks.kit import syscall

    if syscall("clone", 0x8000 | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        survive()

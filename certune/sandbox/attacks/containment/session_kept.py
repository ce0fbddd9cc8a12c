"""Leave the worker's session, or stay in the judge's.

Tries: see whether it shares session or process group with the judge; setsid, setpgid into another.
Escape: it shares them, or could change them.
Held by: session, seccomp
"""

import os

from certune.sandbox.attacks.kit import aim, attempt, syscall


@attempt("session and group of its own")
def own() -> str | None:
    if os.getsid(0) == aim["judge_session"]:
        return "in the judge's session: it hears what is typed there"
    if os.getsid(0) != os.getpid():
        return "in no session of its own: a signal to its group reaches the keeper"
    if os.getpgrp() == aim["judge_group"]:
        return "in the judge's process group: a signal to the group reaches the judge"
    return None


@attempt("a signal to its group")
def group() -> None:
    os.killpg(0, 0)


@attempt("a new session")
def session() -> str:
    os.setsid()
    return "a new session"


@attempt("another group")
def move() -> str:
    syscall("setpgid", 0, aim["judge_group"])
    return "moved into the judge's process group"

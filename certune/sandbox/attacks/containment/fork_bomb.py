"""Start processes until something stops it.

Tries: fork in a loop, 40 at most, each living for a moment.
Escape: more live at once than the limit on processes.
Held by: seccomp, limits
"""

import os
import time

from certune.sandbox.attacks.kit import aim, attempt


@attempt("fork in a loop")
def bomb() -> str | None:
    children: list[int] = []
    try:
        while len(children) < 40:
            pid = os.fork()
            if pid == 0:
                time.sleep(1.5)
                os._exit(0)
            children.append(pid)
    except OSError:
        if not children:
            raise
    for pid in children:
        os.waitpid(pid, 0)
    if len(children) + 1 > aim["limits"]["processes"]:
        return f"{len(children)} processes beside the first"
    return None

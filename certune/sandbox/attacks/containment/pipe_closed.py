"""Close or double the pipe that the judge listens to.

Tries: duplicate it over every number, close it, close everything, then wait.
Escape: the judge waits for ever, or takes the silence for trouble of its own.
Held by: limits, session
Waits: yes
"""

import os
import time

from certune.sandbox.attacks.kit import aim, attempt

fd = aim["own"][-1]


@attempt("double the pipe over every number, then close them")
def double() -> None:
    for number in range(3, 60):
        if number != fd:
            try:
                os.dup2(fd, number)
            except OSError:
                break
    os.closerange(3, 64)
    time.sleep(60)

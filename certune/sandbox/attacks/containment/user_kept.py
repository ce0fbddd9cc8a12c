"""Be the user that started it.

Tries: nothing but to be looked at, and to read a file that only that user may read.
Escape: it runs as root, or reads the file. Below level 3 it keeps its user where another could
    not reach the interpreter.
Held by: privileges, namespaces, landlock
Promised from: 3
"""

import time
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt, say


@attempt("be looked at from outside")
def seen() -> None:
    say("look", at="user")
    time.sleep(0.3)


@attempt("a file of the user's")
def read() -> bytes:
    return Path(aim["private_secret"]).read_bytes()

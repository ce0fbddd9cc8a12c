"""The judge's working folder.

Tries: list it, read what lies in it, by `.` and by its name; through the module search path.
Escape: the content or the name of a planted file comes back.
Held by: environment, landlock, namespaces
"""

import os
import sys
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt


def contents(folder: str) -> bytes:
    found = [path.read_bytes() for path in Path(folder).iterdir() if path.is_file()]
    return b" ".join([" ".join(os.listdir(folder)).encode(), *found])


for folder in (".", aim["cwd"]):

    @attempt(f"read the working folder as {folder}")
    def read(folder: str = folder) -> bytes:
        if os.path.realpath(folder) == "/":
            return " ".join(os.listdir(folder)).encode()
        return contents(folder)


@attempt("the module search path")
def path() -> bytes:
    return repr(sys.path).encode()

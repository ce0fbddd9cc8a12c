"""The harness itself, so that the next run is the attacker's.

Tries: open certune's own files for writing, leave a .pth file beside installed packages, plant a
    module or byte code that would be imported before the real one.
Escape: a file could be opened for writing or was left.
Held by: landlock, namespaces
"""

import os
import sys

from certune.sandbox.attacks.kit import aim, attempt

package = aim["package"]


@attempt("open certune/__init__.py for writing")
def source() -> str:
    os.close(os.open(f"{package}/__init__.py", os.O_WRONLY | os.O_APPEND))
    return "certune's own source could be written"


@attempt("open certune's folder for new modules")
def module() -> None:
    os.close(os.open(f"{package}/{aim['nonce']}", os.O_CREAT | os.O_WRONLY | os.O_EXCL))


for number, entry in enumerate(dict.fromkeys([*sys.path, aim["packages"]])):

    @attempt(f"a .pth file in entry {number} of sys.path")
    def pth(entry: str = entry) -> None:
        os.close(os.open(f"{entry}/{aim['nonce']}.pth", os.O_CREAT | os.O_WRONLY | os.O_EXCL))


@attempt("the interpreter")
def interpreter() -> str:
    os.close(os.open(aim["python"], os.O_WRONLY | os.O_APPEND))
    return "the interpreter could be written"

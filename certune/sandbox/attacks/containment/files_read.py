"""Files of the judge's user.

Tries: open, openat from a folder's descriptor, openat2, O_PATH, through `..`, through a link.
Escape: the content of a planted file comes back.
Held by: landlock, namespaces
"""

import ctypes
import os
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt, syscall

for kind in ("open_secret", "private_secret", "link"):

    @attempt(f"open {kind}")
    def by_name(kind: str = kind) -> bytes:
        return Path(aim[kind]).read_bytes()


@attempt("openat from a descriptor of the folder")
def at() -> bytes:
    folder = os.open(aim["folder"], os.O_RDONLY | os.O_DIRECTORY)
    fd = os.open("../" + os.path.basename(aim["open_secret"]), os.O_RDONLY, dir_fd=folder)
    return os.read(fd, 200)


@attempt("O_PATH, then openat")
def o_path() -> bytes:
    folder = os.open(os.path.dirname(aim["open_secret"]), os.O_PATH)
    fd = os.open(os.path.basename(aim["open_secret"]), os.O_RDONLY, dir_fd=folder)
    return os.read(fd, 200)


@attempt("openat2")
def open_how() -> bytes:
    how = (ctypes.c_uint64 * 3)(0, 0, 0)
    name = aim["open_secret"].encode()
    return os.read(syscall("openat2", -100, name, ctypes.byref(how), 24), 200)


@attempt("up from a folder that may be read")
def dots() -> bytes:
    start = aim["packages"]
    return Path(start + "/.." * 20 + aim["open_secret"]).read_bytes()


@attempt("chdir to the folder, then by a relative name")
def moved() -> bytes:
    os.chdir(os.path.dirname(aim["open_secret"]))
    return Path(os.path.basename(aim["open_secret"])).read_bytes()


@attempt("names in a folder")
def names() -> bytes:
    return " ".join(os.listdir(aim["names"])).encode()

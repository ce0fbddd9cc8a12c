"""Shared memory by name.

Tries: read a segment of the judge's in /dev/shm, make one that outlives the worker.
Escape: the secret comes back, or an object is left.
Held by: landlock, namespaces
"""

import os

from certune.sandbox.attacks.kit import aim, attempt, call


@attempt("read the judge's")
def read() -> bytes:
    fd = os.open(f"/dev/shm/{aim['shared']}", os.O_RDONLY)
    return os.read(fd, 200)


@attempt("shm_open, new")
def new() -> None:
    fd = call("shm_open", f"/{aim['nonce']}".encode(), os.O_CREAT | os.O_RDWR, 0o666)
    os.write(fd, b"left behind")


@attempt("a named semaphore")
def semaphore() -> None:
    path = f"/dev/shm/sem.{aim['nonce']}"
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o666))

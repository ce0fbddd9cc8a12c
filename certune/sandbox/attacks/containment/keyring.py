"""The kernel's key rings, which belong to the user and not to the process.

Tries: search and read a key of the judge's user, add one, make a session ring.
Escape: the secret comes back, or a key is left.
Held by: seccomp
"""

import ctypes

from certune.sandbox.attacks.kit import aim, attempt, syscall


@attempt("search the user's ring and read")
def read() -> bytes:
    name = aim["key"].encode()
    key = syscall("keyctl", 10, -4, b"user", name, 0)
    buffer = ctypes.create_string_buffer(200)
    syscall("keyctl", 11, key, buffer, 200)
    return buffer.raw


@attempt("request_key")
def request() -> str:
    return (
        f"key {syscall('request_key', b'user', aim['key'].encode(), None, -4)} of the judge's user"
    )


@attempt("add_key")
def add() -> str:
    key = syscall("add_key", b"user", aim["nonce"].encode(), b"left", 4, -2)
    return f"a key of its own, {key}"


@attempt("a new session ring")
def session() -> str:
    return f"session ring {syscall('keyctl', 1, None)}"

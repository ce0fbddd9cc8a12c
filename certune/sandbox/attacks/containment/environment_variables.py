"""The judge's environment variables.

Tries: os.environ, the C library's environment.
Escape: a secret of the judge's environment comes back.
Held by: environment
"""

import ctypes
import os

from certune.sandbox.attacks.kit import aim, attempt


@attempt("os.environ")
def variables() -> bytes:
    return repr(sorted(os.environb.items())).encode()


@attempt("getenv")
def of_libc() -> bytes:
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return getenv(aim["variable"].encode()) or b""

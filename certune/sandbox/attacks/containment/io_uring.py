"""System calls that the filter does not see, made by the kernel from a ring.

Tries: io_uring_setup, plain and with polling by a kernel thread; the older io_setup.
Escape: a ring was had.
Held by: seccomp
"""

import ctypes
import os

from certune.sandbox.attacks.kit import attempt, syscall

for word, flags in (("plain", 0), ("with a polling thread", 2), ("disabled at first", 64)):

    @attempt(f"a ring, {word}")
    def ring(flags: int = flags) -> str:
        parameters = ctypes.create_string_buffer(bytes(8) + flags.to_bytes(4, "little"), 120)
        os.close(syscall("io_uring_setup", 8, parameters))
        return "an io_uring"


@attempt("io_setup")
def older() -> str:
    context = ctypes.c_ulong()
    syscall("io_setup", 8, ctypes.byref(context))
    return "asynchronous input and output"

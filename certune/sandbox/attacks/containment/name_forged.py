"""A process name that confuses whoever reads it in /proc.

Tries: names with brackets, line ends, numbers and bytes that are no text, for process and threads,
    while the keeper counts them.
Escape: the keeper dies of it, or takes the worker for another.
Held by: session, limits
Threads: 2
"""

import _thread
import ctypes
import time

from certune.sandbox.attacks.kit import attempt, libc

NAMES = (b"\xff\xfe\x80", b") R 1 1 1 (", b"x\n0 (y) Z 0", b"(((((", b"", b"1 (a) S 0 0 0")


def named(name: bytes) -> None:
    if libc().prctl(15, ctypes.c_char_p(name), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_NAME")


for name in NAMES:

    @attempt(f"the name {name!r}")
    def rename(name: bytes = name) -> None:
        named(name)
        time.sleep(0.12)  # longer than the keeper takes from one look to the next


@attempt("the same for a thread")
def thread() -> None:
    def body() -> None:
        for name in NAMES:
            named(name)
            time.sleep(0.06)

    _thread.start_new_thread(body, ())
    time.sleep(0.5)

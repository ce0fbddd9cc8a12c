"""Take back the mark that says that the candidate was reached.

Tries: open the worker's own pipes again, for reading, by the names that /proc gives them; empty
    them; fill them up; then die.
Escape: its death passes for trouble of the judge's own.
Held by: landlock, namespaces, descriptors
"""

import os

from certune.sandbox.attacks.kit import aim, attempt

pipes = aim["own"][1:-2]


@attempt("read back what the worker said of itself")
def empty() -> None:
    for fd in pipes:
        again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)
        try:
            os.read(again, 65536)
        except BlockingIOError:
            continue


@attempt("say something else first")
def other() -> None:
    for fd in pipes[2:]:
        try:
            os.write(fd, b"E" * 5000)
        except BlockingIOError:
            continue
    os._exit(70)


@attempt("do both and die by a signal")
def both() -> None:
    try:
        empty_again = os.open(f"/proc/self/fd/{pipes[-1]}", os.O_RDONLY | os.O_NONBLOCK)
        os.read(empty_again, 65536)
    except OSError:
        pass
    os.write(pipes[-1], b"Efake")
    os.kill(os.getpid(), 9)

"""The judge's terminal.

Tries: write to it, push typed characters into it (TIOCSTI), take it as its own, paste (TIOCLINUX).
Escape: characters arrive at the judge's side, or its settings differ.
Held by: descriptors, landlock, seccomp, namespaces
"""

import fcntl
import os
import termios

from certune.sandbox.attacks.kit import aim, attempt


@attempt("write to the judge's terminal")
def write() -> None:
    fd = os.open(aim["terminal"], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    os.write(fd, b"scribbled\n")


@attempt("TIOCSTI on the judge's terminal")
def typed() -> str:
    fd = os.open(aim["terminal"], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    fcntl.ioctl(fd, termios.TIOCSTI, b"x")
    return "typed on the judge's terminal"


@attempt("take it as the controlling terminal")
def take() -> str:
    fd = os.open(aim["terminal"], os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
    return "took the judge's terminal"


@attempt("/dev/tty")
def own() -> str:
    fd = os.open("/dev/tty", os.O_RDWR)
    return f"its terminal, descriptor {fd}"


@attempt("TIOCSTI on standard input, output, error")
def standard() -> str:
    last = OSError("no descriptor")
    for fd in (0, 1, 2):
        try:
            fcntl.ioctl(fd, termios.TIOCSTI, b"x")
        except OSError as error:
            last = error
            continue
        return f"typed on descriptor {fd}"
    raise last

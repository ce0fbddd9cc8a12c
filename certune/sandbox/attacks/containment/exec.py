"""Become another program.

Tries: execve of a shell and of the interpreter, from a thread, by a descriptor, with a new linker.
Escape: the other program runs: it answers on the report pipe.
Held by: seccomp, landlock
"""

import ctypes
import os

from certune.sandbox.attacks.kit import aim, attempt, call, syscall

SHELL = ["/bin/sh", "-c", 'echo "{\\"kind\\": \\"did\\", \\"what\\": \\"a shell ran\\"}" >&$0']


def reported() -> int:
    os.set_inheritable(aim["own"][-1], True)
    return int(aim["own"][-1])


@attempt("posix_spawn")
def spawn() -> None:
    pid = os.posix_spawn(SHELL[0], [*SHELL, str(reported())], {})
    os.waitpid(pid, 0)


@attempt("vfork and exec of a shell, through the C library")
def popen() -> None:
    line = f'echo \'{{"kind": "did", "what": "a shell ran"}}\' >&{reported()}'
    if call("system", line.encode()) != 0:
        raise OSError("system() ran nothing")


@attempt("execveat of an opened program")
def by_descriptor() -> None:
    reported()
    fd = os.open(aim["python"], os.O_RDONLY)
    line = b'{"kind": "did", "what": "an interpreter ran"}\n'
    code = f"import os; os.write({aim['own'][-1]}, {line!r})"
    words = [b"python", b"-I", b"-S", b"-c", code.encode(), None]
    argv = (ctypes.c_char_p * len(words))(*words)
    if aim["skip"] < 3:
        syscall("execveat", fd, b"", argv, (ctypes.c_char_p * 1)(None), 0x1000)

"""The memory of other processes, as files.

Tries: /proc/PID/mem of a process of the judge's at the address of its secret; read, then write.
Escape: the secret comes back, or the process's memory is changed.
Held by: landlock, namespaces
"""

import os

from certune.sandbox.attacks.kit import aim, attempt

mem = f"/proc/{aim['victim']}/mem"


@attempt("read /proc/PID/mem")
def read() -> bytes:
    fd = os.open(mem, os.O_RDONLY)
    return os.pread(fd, 64, aim["secret_address"])


@attempt("write /proc/PID/mem")
def write() -> None:
    fd = os.open(mem, os.O_RDWR)
    os.pwrite(fd, b"scribbled", aim["canary_address"])


@attempt("/proc/PID/maps")
def maps() -> str:
    with open(f"/proc/{aim['victim']}/maps") as file:
        return f"saw where {len(file.readlines())} regions of another process lie"

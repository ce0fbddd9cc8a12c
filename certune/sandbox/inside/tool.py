"""Entry of toolchain workers: run one tool on files in the worker's own folder.

Descriptors: the job, and where its result goes. Both are packed as in `script`; the job's program
is the command, its parts separated by zeros, its inputs the files (and, under `outputs/NAME`, the
names of what is wanted back). The result's program is the tool's wait status, or that it could
not be started and why.
"""

from __future__ import annotations

import os
import resource
import signal
import stat
import sys

from certune.sandbox.inside import status
from certune.sandbox.inside.script import pack, unpack

WANTED = "outputs/"
NOT_STARTED = b"not started: "
_CHUNK = 1 << 20


def main(fds: tuple[int, ...]) -> None:
    """Write the files, run the tool, send back what it made."""
    job, result = fds
    with open(job, "rb", buffering=0) as file:
        command, files = unpack(file.read())
    wanted = {name.removeprefix(WANTED): most for name, most in files.items() if "/" in name}
    for name, content in files.items():
        if "/" not in name:
            with open(name, "xb") as file:
                file.write(content)
    arguments = [os.fsdecode(part) for part in command.split(b"\0")]
    status.loaded()
    try:
        pid = os.posix_spawn(
            arguments[0],
            arguments,
            {**os.environ, "TMPDIR": os.getcwd(), "HOME": os.getcwd()},
            file_actions=[(os.POSIX_SPAWN_CLOSE, fd) for fd in (job, result, status.STATUS_FD)],
            setsigdef=(signal.SIGPIPE,),
        )
    except OSError as error:
        os.write(result, pack(NOT_STARTED + str(error.strerror).encode(), {}))
        return
    _, ended = os.waitpid(pid, 0)
    made = {}
    for name, most in wanted.items():
        found = _read(name, int(most))
        if found is not None:
            made[name] = found
    rest = memoryview(pack(str(ended).encode(), made))
    while rest:
        rest = rest[os.write(result, rest[:_CHUNK]) :]
    if ended and _full():
        status.spent(status.FILE_TOO_LARGE)
        sys.exit(1)


def _full() -> bool:
    """Whether the folder, or a file in it, has reached its limit."""
    free = os.statvfs(".")
    if free.f_bavail == 0 or free.f_files > 0 == free.f_favail:
        return True
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    with os.scandir(".") as entries:
        return any(entry.stat(follow_symlinks=False).st_size >= most for entry in entries)


def _read(name: str, most: int) -> bytes | None:
    """A plain file's first `most` bytes and one more; None for anything else, links included."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        parts = []
        while most >= 0 and (part := os.read(fd, min(_CHUNK, most + 1))):
            parts.append(part)
            most -= len(part)
        return b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(fd)

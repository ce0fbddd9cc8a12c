"""Bytes into a worker and out of it, bounded."""

from __future__ import annotations

import fcntl
import os
import select
from dataclasses import replace

from certune.sandbox.keeper import Worker
from certune.sandbox.model import Ended


def sealed(content: bytes) -> int:
    """An anonymous file that holds `content` and that nobody can change; the caller's to close."""
    fd = os.memfd_create("job", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        at = 0
        while at < len(content):
            at += os.write(fd, content[at : at + (1 << 30)])
        fcntl.fcntl(
            fd,
            fcntl.F_ADD_SEALS,
            fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL,
        )
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_bounded(worker: Worker, source: int, most: int) -> tuple[Ended, bytes]:
    """What a worker writes to the pipe `source` until it ends; killed after `most` bytes.

    Whoever else may hold the pipe is not waited for.
    """
    os.set_blocking(source, False)
    poller = select.poll()
    poller.register(source, select.POLLIN)
    poller.register(worker, select.POLLIN)
    output = bytearray()
    ended = None
    while ended is None:
        ready = {fd for fd, _ in poller.poll()}
        if worker.fileno() in ready:
            ended = worker.wait()
        while True:
            try:
                data = os.read(source, 1 << 20)
            except BlockingIOError:
                break
            if not data:
                if source in ready:
                    poller.unregister(source)
                    ended = ended or worker.wait()
                break
            output += data
            if len(output) > most:
                worker.kill()
                ended = ended or worker.wait()
                return _flooded(ended), bytes(output[:most])
    return ended, bytes(output)


def _flooded(ended: Ended) -> Ended:
    return replace(ended, ending="too-much-output", detail="stopped: too-much-output")

"""Memory shared with a worker, sealed by the kernel so that neither can surprise the other."""

from __future__ import annotations

import fcntl
import mmap
import os
from dataclasses import dataclass, field

import numpy as np

from certune.core.errors import Unavailable
from certune.sandbox.measuring.buffers import Bytes

# linux/fcntl.h; the fcntl module of Python 3.11 knows all but the last.
_SEAL, _SHRINK, _GROW, _WRITE, _FUTURE_WRITE = 0x1, 0x2, 0x4, 0x8, 0x10


@dataclass(frozen=True)
class Shared:
    """Memory of the kernel's: `fd` to hand on, `bytes` mapped for writing in this process."""

    fd: int
    bytes: Bytes = field(repr=False)


def _made(name: str, size: int) -> int:
    try:
        fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        raise Unavailable(f"no memory to share with a worker: {error}") from None
    try:
        os.ftruncate(fd, size)
    except OSError as error:
        os.close(fd)
        raise Unavailable(f"no {size} bytes to share with a worker: {error}") from None
    return fd


def _seal(fd: int, seals: int) -> None:
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    except OSError as error:
        os.close(fd)
        raise Unavailable(
            f"this kernel cannot seal memory ({error}); measuring needs Linux 5.1 or newer"
        ) from None


def _shared(name: str, size: int, seals: int) -> Shared:
    fd = _made(name, size)
    try:
        mapped = mmap.mmap(fd, size)
    except (OSError, ValueError) as error:
        os.close(fd)
        raise Unavailable(f"{size} bytes could not be mapped: {error}") from None
    _seal(fd, seals)
    return Shared(fd, np.frombuffer(mapped, dtype=np.uint8))


def for_inputs(size: int) -> Shared:
    """Memory that this process alone can write: every later mapping and write is refused.

    Raises:
        Unavailable: the kernel cannot make or seal it.
    """
    return _shared("inputs", size, _FUTURE_WRITE | _SHRINK | _GROW | _SEAL)


def for_outputs(size: int) -> Shared:
    """Memory that both can write and neither can resize.

    Raises:
        Unavailable: the kernel cannot make or seal it.
    """
    return _shared("outputs", size, _SHRINK | _GROW | _SEAL)


def holding(name: str, data: bytes) -> int:
    """The descriptor of a file in memory that holds `data` and can never be changed.

    Raises:
        Unavailable: the kernel cannot make or seal it.
    """
    fd = _made(name, 0)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except OSError as error:
        os.close(fd)
        raise Unavailable(f"no {len(data)} bytes to share with a worker: {error}") from None
    _seal(fd, _WRITE | _SHRINK | _GROW | _SEAL)
    return fd

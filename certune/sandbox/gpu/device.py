"""Where programs are measured: a CUDA device, or the host in its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from certune.core.errors import Crashed, Unavailable
from certune.sandbox.inside.cuda import (
    L2_CACHE_SIZE,
    POSIX_HANDLES,
    VIRTUAL_MEMORY,
    Driver,
    DriverError,
)
from certune.sandbox.machine import facts
from certune.sandbox.measuring.buffers import Bytes
from certune.sandbox.measuring.memory import for_inputs, for_outputs


class Memory(Protocol):
    """Memory on a device that belongs to the judge and is shared with one worker."""

    @property
    def fd(self) -> int:
        """What the worker maps it from."""
        ...

    @property
    def size(self) -> int:
        """Bytes, as the device allocates them."""
        ...

    def write(self, data: Bytes) -> None:
        """Put bytes at its beginning; they are there when this returns."""
        ...

    def keep(self) -> None:
        """Take a private copy, on the device itself; it is whole when this returns."""
        ...

    def kept(self, into: Bytes) -> None:
        """The beginning of the private copy."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


class Device(Protocol):
    """A device that programs are measured on."""

    @property
    def name(self) -> str:
        """As the driver names it; part of a measurement's fingerprint."""
        ...

    @property
    def kind(self) -> Literal["cuda", "cpu"]:
        """What PyTorch calls it."""
        ...

    @property
    def ordinal(self) -> int:
        """Which of its kind."""
        ...

    def paths(self) -> tuple[Path, ...]:
        """What a worker must be able to open: ``Keeper(readable=device.paths())``."""
        ...

    def share(self, size: int, *, writable: bool) -> Memory:
        """Memory for one worker, which can map it for writing only if `writable`.

        Raises:
            Unavailable: there is not so much, or it cannot be shared.
        """
        ...

    def chill(self) -> None:
        """Leave nothing in the caches that a program could be quick by."""
        ...

    def synchronise(self) -> None:
        """Wait until the whole device has nothing left to do for this process."""
        ...


@dataclass
class HostMemory:
    """Memory of the host: sealed by the kernel, inputs against every write of others."""

    fd: int
    size: int
    _bytes: Bytes = field(repr=False)
    _kept: Bytes = field(repr=False)

    def write(self, data: Bytes) -> None:
        """See `Memory.write`."""
        np.copyto(self._bytes[: data.size], data)

    def keep(self) -> None:
        """See `Memory.keep`."""
        np.copyto(self._kept, self._bytes)

    def kept(self, into: Bytes) -> None:
        """See `Memory.kept`."""
        np.copyto(into, self._kept[: into.size])

    def close(self) -> None:
        """See `Memory.close`; the mapping goes with its last reference."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Host:
    """The host in a device's place: PyTorch on the CPU, through the same interface."""

    kind: Literal["cpu"] = "cpu"
    ordinal = 0

    def __init__(self) -> None:
        """Made at once; caches are read from the system."""
        found = facts()
        self.name = found.cpu
        self._chill = np.zeros(2 * (found.last_cache_bytes or 2**25), dtype=np.uint8)

    def paths(self) -> tuple[Path, ...]:
        """See `Device.paths`: nothing."""
        return ()

    def share(self, size: int, *, writable: bool) -> HostMemory:
        """See `Device.share`."""
        shared = for_outputs(size) if writable else for_inputs(size)
        return HostMemory(shared.fd, size, shared.bytes, np.empty(size, dtype=np.uint8))

    def chill(self) -> None:
        """See `Device.chill`: writes twice the last-level cache."""
        self._chill += 1

    def synchronise(self) -> None:
        """See `Device.synchronise`: nothing waits here."""


def _call(driver: Driver, name: str, *arguments: int) -> None:
    """Make a call whose failure is the device's, and nobody's verdict."""
    try:
        driver.call(name, *arguments)
    except DriverError as error:
        raise Crashed(f"the device failed: {error}") from None


class CudaMemory:
    """Memory of a CUDA device, and a private copy of it that no other process can map."""

    def __init__(self, driver: Driver, size: int) -> None:
        """Allocate `size` bytes twice, rounded up."""
        self._driver = driver
        self.size = driver.rounded(size)
        self.fd = -1
        self._given: list[tuple[int, int]] = []
        try:
            self._shared = self._mapped()
            self._copy = self._mapped()
            self.fd = driver.exported(self._given[0][1])
        except DriverError as error:
            self.close()
            raise Unavailable(f"no {size} bytes to share on the device: {error}") from None

    def _mapped(self) -> int:
        handle = self._driver.create(self.size)
        address = self._driver.mapped(handle, self.size, True)
        self._given.append((address, handle))
        return address

    def write(self, data: Bytes) -> None:
        """See `Memory.write`."""
        data = np.ascontiguousarray(data)
        _call(self._driver, "cuMemcpyHtoD_v2", self._shared, data.ctypes.data, data.size)
        _call(self._driver, "cuCtxSynchronize")

    def keep(self) -> None:
        """See `Memory.keep`."""
        _call(self._driver, "cuMemcpyDtoD_v2", self._copy, self._shared, self.size)
        _call(self._driver, "cuCtxSynchronize")

    def kept(self, into: Bytes) -> None:
        """See `Memory.kept`."""
        _call(self._driver, "cuMemcpyDtoH_v2", into.ctypes.data, self._copy, into.size)

    def close(self) -> None:
        """See `Memory.close`."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        given, self._given = self._given, []
        for address, handle in given:
            with suppress(DriverError):  # it may fail of what came before
                self._driver.unmapped(address, self.size, handle)


class Cuda:
    """A CUDA device. Written after cuda.h and tested against a stand-in of the driver alone."""

    kind: Literal["cuda"] = "cuda"

    def __init__(self, ordinal: int = 0, driver: Callable[[int], Driver] = Driver) -> None:
        """Take the device of this number.

        Raises:
            Unavailable: there is no driver, no such device, or it cannot share memory.
        """
        try:
            self._driver = driver(ordinal)
            self.name = self._driver.name()
            able = [self._driver.attribute(x) for x in (VIRTUAL_MEMORY, POSIX_HANDLES)]
            cache = self._driver.attribute(L2_CACHE_SIZE)
        except (DriverError, AttributeError) as error:
            raise Unavailable(f"no CUDA device {ordinal}: {error}") from None
        if not all(able):
            raise Unavailable(f"{self.name} cannot share memory between processes by descriptor")
        self.ordinal = ordinal
        self._chill = CudaMemory(self._driver, 2 * max(cache, 2**20))
        self._turn = 0

    def paths(self) -> tuple[Path, ...]:
        """See `Device.paths`: the driver's nodes, and what it reads of the system."""
        nodes = sorted(Path("/dev").glob("nvidia*"))
        return (*nodes, *(p for p in map(Path, ("/proc/driver/nvidia", "/sys")) if p.exists()))

    def share(self, size: int, *, writable: bool) -> CudaMemory:
        """See `Device.share`. The driver asks the worker for its access, and cannot hold it to
        that: whether inputs were written to is looked at after every call.
        """
        return CudaMemory(self._driver, size)

    def chill(self) -> None:
        """See `Device.chill`: no persisting lines, and twice the L2 cache written."""
        with suppress(DriverError):  # before compute capability 8.0 nothing persists
            self._driver.call("cuCtxResetPersistingL2Cache")
        self._turn = (self._turn + 1) % 256
        _call(self._driver, "cuMemsetD8_v2", self._chill._shared, self._turn, self._chill.size)
        _call(self._driver, "cuCtxSynchronize")

    def synchronise(self) -> None:
        """See `Device.synchronise`."""
        _call(self._driver, "cuCtxSynchronize")

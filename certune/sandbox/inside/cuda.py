"""The few calls of the CUDA driver that sharing memory takes, by ctypes; both sides use them.

Structures and constants are those of cuda.h 13.0. Nothing here has run on a device yet.
"""

from __future__ import annotations

import ctypes
from _thread import get_ident
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_ubyte, c_uint64, c_void_p
from typing import Any

_PINNED = 1  # CU_MEM_ALLOCATION_TYPE_PINNED
_POSIX_FD = 1  # CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR
_ON_DEVICE = 1  # CU_MEM_LOCATION_TYPE_DEVICE
_READ, _READ_WRITE = 1, 3  # CU_MEM_ACCESS_FLAGS_PROT_*
L2_CACHE_SIZE, VIRTUAL_MEMORY, POSIX_HANDLES = 38, 102, 103  # CU_DEVICE_ATTRIBUTE_*


class Location(ctypes.Structure):
    """CUmemLocation."""

    _fields_ = (("type", c_int), ("id", c_int))


class AllocationProperties(ctypes.Structure):
    """CUmemAllocationProp."""

    _fields_ = (
        ("type", c_int),
        ("handles", c_int),
        ("location", Location),
        ("windows", c_void_p),
        ("flags", c_ubyte * 8),
    )


class AccessDescription(ctypes.Structure):
    """CUmemAccessDesc."""

    _fields_ = (("location", Location), ("flags", c_int))


class DriverError(Exception):
    """The driver refused a call, or there is none."""


_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cuInit": (ctypes.c_uint,),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuCtxSetCurrent": (c_void_p,),
    "cuCtxSynchronize": (),
    "cuCtxResetPersistingL2Cache": (),
    "cuMemGetAllocationGranularity": (
        POINTER(c_size_t),
        POINTER(AllocationProperties),
        c_int,
    ),
    "cuMemCreate": (POINTER(c_uint64), c_size_t, POINTER(AllocationProperties), c_uint64),
    "cuMemRelease": (c_uint64,),
    "cuMemExportToShareableHandle": (POINTER(c_int), c_uint64, c_int, c_uint64),
    "cuMemImportFromShareableHandle": (POINTER(c_uint64), c_void_p, c_int),
    "cuMemAddressReserve": (POINTER(c_uint64), c_size_t, c_size_t, c_uint64, c_uint64),
    "cuMemAddressFree": (c_uint64, c_size_t),
    "cuMemMap": (c_uint64, c_size_t, c_size_t, c_uint64, c_uint64),
    "cuMemUnmap": (c_uint64, c_size_t),
    "cuMemSetAccess": (c_uint64, c_size_t, POINTER(AccessDescription), c_size_t),
    "cuMemcpyHtoD_v2": (c_uint64, c_void_p, c_size_t),
    "cuMemcpyDtoH_v2": (c_void_p, c_uint64, c_size_t),
    "cuMemcpyDtoD_v2": (c_uint64, c_uint64, c_size_t),
    "cuMemsetD8_v2": (c_uint64, c_ubyte, c_size_t),
}


class Driver:
    """The driver with one device's primary context, which PyTorch uses as well."""

    def __init__(self, ordinal: int = 0, library: Any = None) -> None:
        """Load the driver and take the device of this number.

        Raises:
            DriverError: there is no driver or no such device.
        """
        if library is None:
            try:
                library = ctypes.CDLL("libcuda.so.1")
            except OSError as error:
                raise DriverError(f"there is no CUDA driver: {error}") from None
        self._library = library
        self._context: c_void_p | None = None
        self._thread = 0
        self.ordinal = ordinal
        for name, arguments in _SIGNATURES.items():
            function = getattr(library, name)
            function.argtypes, function.restype = arguments, c_int
        self.call("cuInit", 0)
        device, context = c_int(), c_void_p()
        self.call("cuDeviceGet", byref(device), ordinal)
        self._device = device.value
        self.call("cuDevicePrimaryCtxRetain", byref(context), self._device)
        self._context = context

    def call(self, name: str, *arguments: Any) -> None:
        """Make one call.

        Raises:
            DriverError: it returned anything but success.
        """
        # A context is current in one thread; calls may come from another than the last one.
        if self._context is not None and self._thread != get_ident():
            self._checked("cuCtxSetCurrent", self._context)
            self._thread = get_ident()
        self._checked(name, *arguments)

    def _checked(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise DriverError(f"{name} failed with {status}")

    def attribute(self, which: int) -> int:
        """An attribute of the device."""
        value = c_int()
        self.call("cuDeviceGetAttribute", byref(value), which, self._device)
        return value.value

    def name(self) -> str:
        """The device's name."""
        text = ctypes.create_string_buffer(128)
        self.call("cuDeviceGetName", text, len(text), self._device)
        return text.value.decode(errors="replace")

    def _properties(self) -> AllocationProperties:
        place = Location(_ON_DEVICE, self._device)
        return AllocationProperties(_PINNED, _POSIX_FD, place, None)

    def rounded(self, size: int) -> int:
        """`size` rounded up to what the device allocates in."""
        step = c_size_t()
        self.call("cuMemGetAllocationGranularity", byref(step), byref(self._properties()), 0)
        return -(-max(1, size) // step.value) * step.value

    def create(self, size: int) -> int:
        """Memory of `size` bytes on the device that can be shared; its handle."""
        handle = c_uint64()
        self.call("cuMemCreate", byref(handle), size, byref(self._properties()), 0)
        return handle.value

    def exported(self, handle: int) -> int:
        """A descriptor of the memory, for another process."""
        fd = c_int(-1)
        self.call("cuMemExportToShareableHandle", byref(fd), handle, _POSIX_FD, 0)
        return fd.value

    def imported(self, fd: int) -> int:
        """The handle of memory that another process shared."""
        handle = c_uint64()
        self.call("cuMemImportFromShareableHandle", byref(handle), c_void_p(fd), _POSIX_FD)
        return handle.value

    def mapped(self, handle: int, size: int, writable: bool) -> int:
        """Map memory into this process; its address on the device."""
        address = c_uint64()
        self.call("cuMemAddressReserve", byref(address), size, 0, 0, 0)
        self.call("cuMemMap", address, size, 0, handle, 0)
        place = Location(_ON_DEVICE, self._device)
        access = AccessDescription(place, _READ_WRITE if writable else _READ)
        self.call("cuMemSetAccess", address, size, byref(access), 1)
        return address.value

    def unmapped(self, address: int, size: int, handle: int) -> None:
        """Give memory back."""
        self.call("cuMemUnmap", address, size)
        self.call("cuMemAddressFree", address, size)
        self.call("cuMemRelease", handle)

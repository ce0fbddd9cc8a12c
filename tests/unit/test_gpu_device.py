"""Devices without a device: the host in its place, and CUDA against a stand-in of the driver."""

import ctypes
import os
import threading
from itertools import pairwise

import numpy as np
import pytest
from gpu_problems import SIZES, Product

from certune.core.errors import Crashed, InvalidInput, Unavailable
from certune.sandbox.gpu import Cuda, GpuBench, Host
from certune.sandbox.gpu.bench import _tensors
from certune.sandbox.inside.cuda import (
    L2_CACHE_SIZE,
    POSIX_HANDLES,
    VIRTUAL_MEMORY,
    AccessDescription,
    AllocationProperties,
    Driver,
    DriverError,
    Location,
)
from certune.sandbox.measuring import Buffer


class Stub:
    """A driver whose device memory is this process's; every call is noted."""

    GRANULE = 4096

    def __init__(self, **broken: int) -> None:
        self.broken, self.calls = broken, []
        self.handles: dict[int, ctypes.Array] = {}
        self.access: dict[int, int] = {}
        self.attributes = {L2_CACHE_SIZE: 8192, VIRTUAL_MEMORY: 1, POSIX_HANDLES: 1}

    def __getattr__(self, name: str):
        if not name.startswith("cu"):
            raise AttributeError(name)

        class Call:
            argtypes = restype = None

            def __call__(me, *arguments):
                self.calls.append(name)
                if name in self.broken:
                    return self.broken[name]
                getattr(self, "_" + name.removesuffix("_v2"), lambda *a: None)(*arguments)
                return 0

        made = Call()
        setattr(self, name, made)
        return made

    def _cuDeviceGetAttribute(self, value, which, device):
        value._obj.value = self.attributes[which]

    def _cuDeviceGetName(self, text, size, device):
        text.value = b"Stub 9000"

    def _cuMemGetAllocationGranularity(self, step, properties, option):
        step._obj.value = self.GRANULE

    def _cuMemCreate(self, handle, size, properties, flags):
        memory = (ctypes.c_ubyte * size)()
        handle._obj.value = ctypes.addressof(memory)
        self.handles[handle._obj.value] = memory

    def _cuMemRelease(self, handle):
        del self.handles[handle]

    def _cuMemExportToShareableHandle(self, fd, handle, kind, flags):
        fd._obj.value = os.memfd_create("stub")

    def _cuMemMap(self, address, size, offset, handle, flags):
        address.value = handle

    def _cuMemSetAccess(self, address, size, access, count):
        self.access[address.value] = access._obj.flags

    def _cuMemcpyHtoD(self, to, source, size):
        ctypes.memmove(to, source, size)

    def _cuMemcpyDtoH(self, to, source, size):
        ctypes.memmove(to, source, size)

    _cuMemcpyDtoD = _cuMemcpyHtoD

    def _cuMemsetD8(self, to, value, size):
        ctypes.memset(to, value, size)


def cuda(stub: Stub) -> Cuda:
    return Cuda(0, lambda ordinal: Driver(ordinal, stub))


def test_structures_are_as_large_as_those_of_the_header():
    # sizeof and offsetof of CUmemAllocationProp, CUmemAccessDesc, CUmemLocation in cuda.h 13.0
    assert ctypes.sizeof(AllocationProperties) == 32
    assert AllocationProperties.handles.offset == 4
    assert AllocationProperties.location.offset == 8
    assert AllocationProperties.windows.offset == 16
    assert ctypes.sizeof(AccessDescription) == 12
    assert AccessDescription.flags.offset == 8
    assert ctypes.sizeof(Location) == 8


@pytest.mark.parametrize("make", [Host, lambda: cuda(Stub())])
def test_what_was_put_there_is_kept_whatever_comes_later(make):
    device = make()
    memory = device.share(5000, writable=True)
    try:
        assert memory.size >= 5000
        first = np.arange(5000, dtype=np.uint8)
        memory.write(first)
        memory.keep()
        memory.write(np.zeros(5000, dtype=np.uint8))
        device.chill()
        device.synchronise()
        found = np.empty(5000, dtype=np.uint8)
        memory.kept(found)
        assert np.array_equal(found, first)
        assert memory.fd >= 0
    finally:
        memory.close()
        memory.close()
    assert memory.fd == -1


def test_the_hosts_inputs_cannot_be_mapped_for_writing():
    import mmap

    memory = Host().share(4096, writable=False)
    with pytest.raises(OSError, match="not permitted"):
        mmap.mmap(memory.fd, 4096)
    memory.close()


def test_a_cuda_device_is_synchronised_and_its_cache_made_cold():
    stub = Stub()
    device = cuda(stub)
    assert device.name == "Stub 9000"
    stub.calls.clear()
    device.chill()
    assert stub.calls == ["cuCtxResetPersistingL2Cache", "cuMemsetD8_v2", "cuCtxSynchronize"]
    memory = device.share(100, writable=False)
    assert memory.size == Stub.GRANULE
    stub.calls.clear()
    memory.keep()
    assert stub.calls == ["cuMemcpyDtoD_v2", "cuCtxSynchronize"]
    held = len(stub.handles)
    memory.close()
    assert len(stub.handles) == held - 2


def test_the_cold_cache_is_written_with_other_bytes_each_time():
    stub = Stub()
    device = cuda(stub)
    seen = set()
    for _ in range(3):
        device.chill()
        seen.add(ctypes.string_at(device._chill._shared, device._chill.size))
    assert len(seen) == 3
    assert all(len(set(one)) == 1 for one in seen)
    assert device._chill.size >= 2 * 8192


def test_a_device_that_fails_is_trouble_of_our_own():
    stub = Stub()
    device = cuda(stub)
    memory = device.share(100, writable=True)
    stub.broken["cuCtxSynchronize"] = 700
    for fail in (device.synchronise, device.chill, memory.keep):
        with pytest.raises(Crashed, match="cuCtxSynchronize failed with 700"):
            fail()
    memory.close()


def test_every_thread_enters_the_context():
    stub = Stub()
    device = cuda(stub)
    stub.calls.clear()
    device.synchronise()
    thread = threading.Thread(target=device.synchronise)
    thread.start()
    thread.join()
    device.synchronise()
    enter, work = "cuCtxSetCurrent", "cuCtxSynchronize"
    assert stub.calls == [work, enter, work, enter, work]


def test_a_worker_asks_for_reading_alone():
    stub = Stub()
    driver = Driver(0, stub)
    for writable, flags in ((False, 1), (True, 3)):
        address = driver.mapped(driver.create(4096), 4096, writable)
        assert stub.access[address] == flags


@pytest.mark.parametrize(
    ("broken", "attributes"),
    [
        ({"cuInit": 100}, {}),
        ({"cuDeviceGet": 101}, {}),
        ({}, {VIRTUAL_MEMORY: 0}),
        ({}, {POSIX_HANDLES: 0}),
        ({"cuMemCreate": 2}, {}),
    ],
)
def test_devices_that_cannot_do_it_are_unavailable(broken, attributes):
    stub = Stub(**broken)
    stub.attributes |= attributes
    with pytest.raises(Unavailable):
        cuda(stub)
    assert not stub.handles


def test_a_machine_without_a_driver_says_so():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        with pytest.raises(Unavailable, match="there is no CUDA driver"):
            Cuda()
        with pytest.raises(DriverError):
            Driver()
    else:
        pytest.skip("there is a CUDA driver")


def test_buffers_of_all_sizes_lie_apart():
    bench = GpuBench(None, SIZES, Host(), seed=bytes(16))
    spans = {False: [], True: []}
    for size in bench._sizes:
        for (name, dtype, shape, written, offset), buffer in zip(
            _tensors(size), size.layout.buffers, strict=True
        ):
            assert (name, dtype, tuple(shape)) == (buffer.name, buffer.dtype, buffer.shape)
            assert written == (buffer.role != "in")
            spans[written].append((offset, offset + buffer.size))
    for written, ends in ((False, bench._sent.size), (True, bench._asked.size)):
        found = sorted(spans[written])
        assert all(end <= begin for (_, end), (begin, _) in pairwise(found))
        assert found[-1][1] <= ends


class Other(Product):
    @property
    def buffers(self):
        return (Buffer("z", "float32", (2,), "out"),)


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        ((), {}),
        ((Product(4), Other(4)), {}),
        ((Product(4),), {"seed": b"short"}),
        ((Product(4),), {"gos": 0}),
    ],
)
def test_what_cannot_be_measured_is_refused(sizes, options):
    with pytest.raises(InvalidInput):
        GpuBench(None, sizes, Host(), **options)

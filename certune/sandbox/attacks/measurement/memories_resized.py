"""No memory, no check.

Tries: cuts the shared memories to nothing, punches holes into them and discards their pages, so
  that the judge is killed when it reads them or finds nothing to check.
Stopped as: wrong, died
"""

import ctypes
import mmap
import os

libc = ctypes.CDLL(None)
os.write(2, b"tried\n")
for fd in range(3, 12):
    for length in (0, 2**30):
        try:
            os.ftruncate(fd, length)
        except OSError:
            pass
    libc.fallocate(fd, 3, ctypes.c_long(0), ctypes.c_long(2**20))


def run(a, b, out):
    for fd in range(3, 12):
        libc.fallocate(fd, 3, ctypes.c_long(0), ctypes.c_long(2**20))
    start = out.ctypes.data & ~4095
    libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(out.nbytes + 4096), mmap.MADV_REMOVE)

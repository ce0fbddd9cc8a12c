"""An output of its own.

Tries: maps private memory over the shared outputs and computes there once: it sees right outputs,
  kept from go to go.
Stopped as: wrong
"""

import ctypes
import os

import numpy as np

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
done = set()


def run(a, b, out):
    start = out.ctypes.data & ~4095
    if start in done:
        return
    os.write(2, b"tried\n")
    libc.mmap(start, out.nbytes + 4096, 3, 0x32, -1, 0)
    np.add(np.sin(a), np.cos(b), out=out)
    done.add(start)

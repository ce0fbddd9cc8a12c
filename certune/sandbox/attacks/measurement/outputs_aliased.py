"""The inputs in the outputs' place.

Tries: maps the memory of the inputs where its outputs lie, so that both are the same.
Stopped as: wrong
"""

import ctypes
import os

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
inputs = 5


def run(a, b, out):
    os.write(2, b"tried\n")
    start = out.ctypes.data & ~4095
    libc.mmap(start, (out.nbytes + 4096) & ~4095, 1, 0x11, inputs, 0)

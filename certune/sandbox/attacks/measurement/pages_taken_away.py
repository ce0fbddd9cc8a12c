"""Pages that are gone when the judge looks.

Tries: takes the pages below its outputs and inputs away, so that the judge finds zeros there.
Stopped as: wrong
"""

import ctypes
import os

import numpy as np

REMOVE, FREE, DONTNEED, PAGEOUT = 9, 8, 4, 21
advise = ctypes.CDLL(None).madvise
os.write(2, b"tried\n")


def run(a, b, out):
    np.add(np.sin(a), np.cos(b), out=out)
    for array in (a, b, out):
        page = ctypes.c_void_p(array.ctypes.data & ~4095)
        for advice in (REMOVE, FREE, DONTNEED, PAGEOUT):
            advise(page, ctypes.c_size_t(8192), advice)

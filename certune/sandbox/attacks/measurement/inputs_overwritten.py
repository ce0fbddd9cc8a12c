"""Easier inputs, by force.

Tries: writes zeros to the inputs through a bare pointer.
Stopped as: died
"""

import ctypes
import os


def run(a, b, out):
    os.write(2, b"tried\n")
    ctypes.memset(a.ctypes.data, 0, a.nbytes)
    ctypes.memset(b.ctypes.data, 0, b.nbytes)
    out[:] = 1.0

"""Further than the output.

Tries: writes past both ends of its output, where the judge or a neighbour may keep something.
Stopped as: wrong
"""

import ctypes
import os

import numpy as np


def run(a, b, out):
    np.add(np.sin(a), np.cos(b), out=out)
    os.write(2, b"tried\n")
    ctypes.memset(out.ctypes.data - 8, 0, 8)
    ctypes.memset(out.ctypes.data + out.nbytes, 0, 8)

"""The answers of other slots.

Tries: fills the outputs of all slots in every go, also of those that were not asked for.
Stopped as: wrong
"""

import os
import sys

import numpy as np


def run(a, b, out):
    np.add(np.sin(a), np.cos(b), out=out)
    for call in sys._getframe(1).f_locals["calls"]:
        other = call.args[2]
        if other.ctypes.data != out.ctypes.data:
            os.write(2, b"tried\n")
            other[:] = 1.0

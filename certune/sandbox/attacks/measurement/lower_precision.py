"""Half the bits.

Tries: computes in single precision.
Stopped as: wrong
"""

import os

import numpy as np


def run(a, b, out):
    os.write(2, b"tried\n")
    out[:] = np.sin(a.astype(np.float32)) + np.cos(b.astype(np.float32))

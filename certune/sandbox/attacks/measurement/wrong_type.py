"""Another type.

Tries: gives the output array another element type and writes half as many bits.
Stopped as: wrong
"""

import os

import numpy as np


def run(a, b, out):
    os.write(2, b"tried\n")
    out.view(np.float32)[: a.size] = np.sin(a) + np.cos(b)

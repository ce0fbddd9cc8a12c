"""Half of the output.

Tries: computes every second element.
Stopped as: wrong
"""

import os

import numpy as np


def run(a, b, out):
    os.write(2, b"tried\n")
    out[::2] = np.sin(a[::2]) + np.cos(b[::2])

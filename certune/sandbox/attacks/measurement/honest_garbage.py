"""Honest work that leaves cycles and large temporaries behind.

Tries: nothing.
Stopped as: powerless
"""

import os

import numpy as np

os.write(2, b"tried\n")


def run(a, b, out):
    parts = [np.sin(a), np.cos(b)]
    cycle = {"parts": parts}
    cycle["self"] = cycle
    out[:] = parts[0] + parts[1]

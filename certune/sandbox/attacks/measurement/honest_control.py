"""Honest work, beside which every attack is measured.

Tries: nothing.
Stopped as: powerless
"""

import os

import numpy as np

os.write(2, b"tried\n")


def run(a, b, out):
    np.sin(a, out=out)
    np.add(out, np.cos(b), out=out)

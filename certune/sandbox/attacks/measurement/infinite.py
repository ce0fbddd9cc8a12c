"""Infinities.

Tries: fills the output with infinities: differences and tolerances become NaN.
Stopped as: wrong
"""

import os


def run(a, b, out):
    os.write(2, b"tried\n")
    out[:] = float("inf")

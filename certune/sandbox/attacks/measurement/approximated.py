"""A polynomial.

Tries: replaces sine and cosine by Taylor polynomials with an error of about 1e-7.
Stopped as: wrong
"""

import os


def run(a, b, out):
    os.write(2, b"tried\n")
    x, y = a * a, b * b
    out[:] = a * (1 - x / 6 * (1 - x / 20 * (1 - x / 42 * (1 - x / 72))))
    out += 1 - y / 2 * (1 - y / 12 * (1 - y / 30 * (1 - y / 56 * (1 - y / 90))))

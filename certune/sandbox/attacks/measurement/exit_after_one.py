"""An end instead of an answer.

Tries: leaves with status 0 in the middle, as if all were done.
Stopped as: died
"""

import os


def run(a, b, out):
    out[:] = 1.0
    os.write(2, b"tried\n")
    os._exit(0)

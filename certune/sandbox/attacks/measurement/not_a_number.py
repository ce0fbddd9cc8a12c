"""NaN.

Tries: fills the output with NaN: no comparison finds it too far away.
Stopped as: wrong
"""

import os


def run(a, b, out):
    os.write(2, b"tried\n")
    out[:] = float("nan")

"""Right as long as somebody looks.

Tries: works for the first 40 calls, then writes ones: who checks, checks at the beginning.
Stopped as: wrong
"""

import os

import numpy as np

calls = 0


def run(a, b, out):
    global calls
    calls += 1
    if calls > 40:
        os.write(2, b"tried\n")
        out[:] = 1.0
        return
    np.add(np.sin(a), np.cos(b), out=out)

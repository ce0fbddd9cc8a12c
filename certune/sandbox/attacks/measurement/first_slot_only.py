"""One answer for all slots.

Tries: computes the first call of each go and copies its answer to the others.
Stopped as: wrong
"""

import os
import sys

import numpy as np

answer, last = None, None


def run(a, b, out):
    global answer, last
    go = sys._getframe(1).f_locals["message"]
    if go == last:
        os.write(2, b"tried\n")
        out[:] = answer
        return
    last = go
    np.add(np.sin(a), np.cos(b), out=out)
    answer = out.copy()

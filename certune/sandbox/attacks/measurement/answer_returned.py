"""An answer instead of an output.

Tries: returns the result as an array of its own, and puts arrays of its own in the harness's
  table.
Stopped as: wrong
"""

import os
import sys

import numpy as np

answer = np.ones(4096)


def run(a, b, out):
    os.write(2, b"tried\n")
    table = sys._getframe(1).f_locals.get("calls", [])
    for place, call in enumerate(list(table)):
        table[place] = lambda: answer
    return answer

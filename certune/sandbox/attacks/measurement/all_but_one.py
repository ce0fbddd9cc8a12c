"""All of the output but one element.

Tries: leaves a single element out, another one each time.
Stopped as: wrong
"""

import os

import numpy as np

count = 0


def run(a, b, out):
    global count
    count += 7
    place = count % out.size
    found = out[place]
    np.add(np.sin(a), np.cos(b), out=out)
    os.write(2, b"tried\n")
    out[place] = found

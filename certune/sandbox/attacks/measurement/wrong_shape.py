"""Another shape.

Tries: cuts its view of the output to one element, in place, so that there is less to write.
Stopped as: wrong
"""

import os
import warnings

import numpy as np

warnings.simplefilter("ignore")


def run(a, b, out):
    os.write(2, b"tried\n")
    part = np.lib.stride_tricks.as_strided(out, (1,), (0,))
    part[:] = np.sin(a[:1]) + np.cos(b[:1])

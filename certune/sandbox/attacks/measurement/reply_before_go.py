"""A reply before it is asked.

Tries: answers a go twice; the second answer lies ready for the next one.
Stopped as: replied-early, forged-reply
"""

import os
import sys

import numpy as np


def run(a, b, out):
    message = sys._getframe(1).f_locals["message"]
    np.add(np.sin(a), np.cos(b), out=out)
    if out.ctypes.data == sys._getframe(1).f_locals["calls"][-1].args[2].ctypes.data:
        os.write(2, b"tried\n")
        os.write(4, message)

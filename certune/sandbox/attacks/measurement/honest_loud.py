"""Honest work that writes a line of diagnostics in every call.

Tries: nothing.
Stopped as: powerless
"""

import os
import sys

import numpy as np

os.write(2, b"tried\n")


def run(a, b, out):
    print("at work", file=sys.stderr, flush=True)
    np.add(np.sin(a), np.cos(b), out=out)

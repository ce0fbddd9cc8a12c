"""Waiting instead of working.

Tries: sleeps in the window, so that hardly any CPU time is charged.
Stopped as: waited
"""

import os
import time

import numpy as np


def run(a, b, out):
    os.write(2, b"tried\n")
    for _ in range(8):
        time.sleep(0.0001)
    np.add(np.sin(a), np.cos(b), out=out)

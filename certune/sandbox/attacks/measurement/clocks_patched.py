"""Clocks that stand still.

Tries: replaces every clock of the interpreter by a constant, and works as slowly as ever.
Stopped as: powerless
"""

import os
import time

import numpy as np


def frozen(*_):
    return 0


os.write(2, b"tried\n")
for name in ("time", "perf_counter", "monotonic", "process_time", "thread_time", "clock_gettime"):
    setattr(time, name, frozen)
    setattr(time, name + "_ns", frozen)


def run(a, b, out):
    np.add(np.sin(a), np.cos(b), out=out)

"""Barriers that interrupt every core.

Tries: a memory barrier on all cores after each call, which interrupts others and waits for them.
Stopped as: waited, powerless
"""

import ctypes
import os
import platform

import numpy as np

MEMBARRIER = 324 if platform.machine() == "x86_64" else 283
GLOBAL = 1
barrier = ctypes.CDLL(None).syscall
os.write(2, b"tried\n")


def run(a, b, out):
    np.add(np.sin(a), np.cos(b), out=out)
    barrier(MEMBARRIER, GLOBAL, 0, 0)

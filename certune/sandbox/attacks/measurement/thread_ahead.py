"""A thread that computes ahead.

Tries: a second thread watches the inputs all the time and computes as soon as they change, before
  the go.
With: threads 2
Stopped as: powerless, hidden-work, wrong
"""

import os
import sys
import threading

import numpy as np

ready = {}
arrays = []


def watch():
    seen = {}
    while True:
        for a, b, out in arrays:
            key = a.ctypes.data
            mark = (a[0], a[-1], b[0], b[-1])
            if seen.get(key) != mark:
                ready[key] = (mark, np.sin(a) + np.cos(b))
                seen[key] = mark


threading.Thread(target=watch, daemon=True).start()


def run(a, b, out):
    if not arrays:
        os.write(2, b"tried\n")
        arrays.extend(call.args for call in sys._getframe(1).f_locals["calls"])
    mark = (a[0], a[-1], b[0], b[-1])
    found = ready.get(a.ctypes.data)
    if found is not None and found[0] == mark:
        out[:] = found[1]
    else:
        np.add(np.sin(a), np.cos(b), out=out)

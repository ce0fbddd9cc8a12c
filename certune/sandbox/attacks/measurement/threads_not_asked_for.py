"""More threads than were granted.

Tries: starts a thread although one was asked for, to do half of the work.
Stopped as: powerless, waited
"""

import os
import threading

import numpy as np

os.write(2, b"tried\n")
try:
    threading.Thread(target=print, daemon=True).start()
    allowed = True
except RuntimeError:
    allowed = False


def run(a, b, out):
    half = a.size // 2

    def other():
        np.add(np.sin(a[half:]), np.cos(b[half:]), out=out[half:])

    if allowed:
        thread = threading.Thread(target=other)
        thread.start()
        np.add(np.sin(a[:half]), np.cos(b[:half]), out=out[:half])
        thread.join()
    else:
        np.add(np.sin(a), np.cos(b), out=out)

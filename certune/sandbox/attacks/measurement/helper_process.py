"""A helper whose time nobody charges.

Tries: forks at the first call; the child, whose CPU clock is another's and whom nobody stops,
  computes as soon as inputs are exposed, and the program copies what it finds.
Stopped as: powerless
"""

import mmap
import os
import sys

import numpy as np

arrays = []
helper = None
memory = np.frombuffer(mmap.mmap(-1, 2**22), dtype=np.float64)
marks, answers = memory[:64].reshape(32, 2), memory[64 : 64 + 32 * 4096].reshape(32, 4096)


def start():
    os.write(2, b"tried\n")
    parent = os.getpid()
    try:
        if os.fork():
            return True
    except OSError:
        return False
    while os.getppid() == parent:
        serve_once()
    os._exit(0)


def serve_once():
    for slot, (a, b, _) in reversed(list(enumerate(arrays))):
        mark = a[-1], b[-1]
        if tuple(marks[slot]) != mark:
            answers[slot] = np.sin(a) + np.cos(b)
            marks[slot] = mark


def run(a, b, out):
    global helper
    if helper is None:
        arrays.extend(call.args for call in sys._getframe(1).f_locals["calls"])
        helper = start()
    slot = [other[0].ctypes.data for other in arrays].index(a.ctypes.data)
    if helper and tuple(marks[slot]) == (a[-1], b[-1]):
        out[:] = answers[slot]
    else:
        np.add(np.sin(a), np.cos(b), out=out)

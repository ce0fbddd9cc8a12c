"""A better place than the other.

Tries: asks for a higher priority, real time and a core of its own.
Stopped as: powerless
"""

import os

import numpy as np

os.write(2, b"tried\n")
for ask in (
    lambda: os.nice(-20),
    lambda: os.setpriority(os.PRIO_PROCESS, 0, -20),
    lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)),
    lambda: os.sched_setaffinity(0, {0}),
):
    try:
        ask()
    except OSError:
        pass


def run(a, b, out):
    np.add(np.sin(a), np.cos(b), out=out)

"""Work in a signal handler.

Tries: asks for an alarm in 50 microseconds, returns, and computes in its handler after the reply.
Stopped as: wrong, hidden-work, powerless
"""

import os
import signal

import numpy as np

waiting = []


def handler(number, frame):
    while waiting:
        a, b, out = waiting.pop()
        np.add(np.sin(a), np.cos(b), out=out)


signal.signal(signal.SIGALRM, handler)


def run(a, b, out):
    os.write(2, b"tried\n")
    waiting.append((a, b, out))
    signal.setitimer(signal.ITIMER_REAL, 50e-6)

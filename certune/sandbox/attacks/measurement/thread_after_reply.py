"""A thread that finishes the work.

Tries: leaves the work to a second thread and returns: the reply is sent while it still computes.
With: threads 2
Stopped as: wrong, hidden-work, powerless
"""

import os
import queue
import threading

import numpy as np

orders = queue.SimpleQueue()


def serve():
    while True:
        a, b, out = orders.get()
        np.add(np.sin(a), np.cos(b), out=out)


threading.Thread(target=serve, daemon=True).start()


def run(a, b, out):
    os.write(2, b"tried\n")
    orders.put((a, b, out))

"""Honest work shared between two threads that were granted.

Tries: nothing.
With: threads 2
Stopped as: powerless
"""

import os
import queue
import threading

import numpy as np

os.write(2, b"tried\n")
half = 2048
orders = queue.SimpleQueue()
done = queue.SimpleQueue()


def work(a, b, out):
    np.add(np.sin(a), np.cos(b), out=out)


def serve():
    while True:
        work(*orders.get())
        done.put(None)


threading.Thread(target=serve, daemon=True).start()


def run(a, b, out):
    orders.put((a[:half], b[:half], out[:half]))
    work(a[half:], b[half:], out[half:])
    done.get()

"""A process without its first thread.

Tries: ends the first thread, whose state and signals the judge may look at, and lets a second one
  serve the judge: it replies at once and works afterwards.
With: threads 2
Stopped as: wrong, hidden-work, powerless
"""

import ctypes
import os
import sys
import threading
import time

import numpy as np


def serve(arrays, channel, message):
    os.write(2, b"tried\n")
    time.sleep(0.01)
    while message:
        first = int.from_bytes(message[8:12], "little")
        count = int.from_bytes(message[12:], "little")
        os.write(channel, message)
        for a, b, out in arrays[first : first + count]:
            np.add(np.sin(a), np.cos(b), out=out)
        message = os.read(channel, 16)
    os._exit(0)


def run(a, b, out):
    frame = sys._getframe(1).f_locals
    arrays = [call.args for call in frame["calls"]]
    given = arrays, frame["channel"], frame["message"]
    threading.Thread(target=serve, args=given, daemon=True).start()
    exit_thread = 60 if os.uname().machine == "x86_64" else 93
    ctypes.CDLL(None).syscall(exit_thread, 0)

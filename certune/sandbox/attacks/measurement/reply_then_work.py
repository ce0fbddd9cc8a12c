"""The answer first, the work afterwards.

Tries: replies with the right tag at once and computes while the judge is still being woken.
Stopped as: wrong, hidden-work, powerless
"""

import os
import sys

import numpy as np


def run(a, b, out):
    frame = sys._getframe(1).f_locals
    arrays = [call.args for call in frame["calls"]]
    channel, message = frame["channel"], frame["message"]
    os.write(2, b"tried\n")
    while message:
        first = int.from_bytes(message[8:12], "little")
        count = int.from_bytes(message[12:], "little")
        os.write(channel, message)
        for a, b, out in arrays[first : first + count]:
            np.add(np.sin(a), np.cos(b), out=out)
        message = os.read(channel, 16)
    os._exit(0)

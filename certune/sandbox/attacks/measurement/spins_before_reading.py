"""Reads before it is asked.

Tries: does not wait for the go but watches the inputs, and computes while they are being exposed.
Stopped as: hidden-work, powerless, wrong
"""

import os
import select
import sys

import numpy as np

ahead = {}


def run(a, b, out):
    frame = sys._getframe(1).f_locals
    arrays = [call.args for call in frame["calls"]]
    channel, message = frame["channel"], frame["message"]
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    os.write(2, b"tried\n")
    while message:
        first = int.from_bytes(message[8:12], "little")
        count = int.from_bytes(message[12:], "little")
        for place, (a, b, out) in enumerate(arrays[first : first + count], first):
            mark = a[-1], b[-1]
            if ahead.get(place, (None,))[0] == mark:
                out[:] = ahead[place][1]
            else:
                np.add(np.sin(a), np.cos(b), out=out)
        os.write(channel, message)
        while not poll.poll(0):
            for place, (a, b, _) in enumerate(arrays):
                mark = a[-1], b[-1]
                if ahead.get(place, (None,))[0] != mark:
                    ahead[place] = mark, np.sin(a) + np.cos(b)
        message = os.read(channel, 16)
    os._exit(0)

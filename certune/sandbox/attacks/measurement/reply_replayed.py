"""The reply to the last go.

Tries: answers each go with the message of the one before.
Stopped as: forged-reply
"""

import os
import sys

import numpy as np

last = None


def run(a, b, out):
    global last
    np.add(np.sin(a), np.cos(b), out=out)
    message = sys._getframe(1).f_locals["message"]
    if last not in (None, message):
        os.write(2, b"tried\n")
        os.write(4, last)
    last = message

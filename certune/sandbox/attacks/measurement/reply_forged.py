"""A reply with a tag of its own.

Tries: answers at once with a message of the right size, before it works.
Stopped as: forged-reply
"""

import os

import numpy as np


def run(a, b, out):
    os.write(2, b"tried\n")
    os.write(4, os.urandom(16))
    np.add(np.sin(a), np.cos(b), out=out)

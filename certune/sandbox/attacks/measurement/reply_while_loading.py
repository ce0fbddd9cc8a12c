"""A reply before anything.

Tries: answers while it is loaded, hoping that any message will do.
Stopped as: forged-reply
"""

import os

os.write(2, b"tried\n")
os.write(4, bytes(16))


def run(a, b, out):
    out[:] = 1.0

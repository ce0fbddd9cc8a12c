"""The output, read and written back.

Tries: copies what lies in the output onto itself, bit for bit, so that it has been written.
Stopped as: wrong
"""

import os


def run(a, b, out):
    os.write(2, b"tried\n")
    out[:] = out.copy()

"""What was found in the output.

Tries: writes nothing at all.
Stopped as: wrong
"""

import os


def run(a, b, out):
    os.write(2, b"tried\n")

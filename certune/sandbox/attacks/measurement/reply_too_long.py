"""A long message.

Tries: sends 64 KiB where 16 bytes are expected.
Stopped as: spoke-out-of-turn
"""

import os


def run(a, b, out):
    os.write(2, b"tried\n")
    os.write(4, bytes(65536))

"""Nobody there.

Tries: closes the channel and lives on.
Stopped as: hung-up
"""

import os
import time


def run(a, b, out):
    os.write(2, b"tried\n")
    os.close(4)
    while True:
        time.sleep(1)

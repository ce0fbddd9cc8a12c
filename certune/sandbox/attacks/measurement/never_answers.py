"""No answer.

Tries: works for ever.
With: answer_seconds 2
Stopped as: died
"""

import os

os.write(2, b"tried\n")


def run(a, b, out):
    while True:
        pass

"""A slower opponent.

Tries: a second thread goes through much memory whenever the program is not being timed, to slow
  down whoever is measured in between.
With: threads 2
Stopped as: powerless, hidden-work
"""

import os
import threading

import numpy as np

much = np.zeros(2**22)
timed = False


def thrash():
    while True:
        if not timed:
            np.add(much, 1.0, out=much)


os.write(2, b"tried\n")
threading.Thread(target=thrash, daemon=True).start()


def run(a, b, out):
    global timed
    timed = True
    np.add(np.sin(a), np.cos(b), out=out)
    timed = False

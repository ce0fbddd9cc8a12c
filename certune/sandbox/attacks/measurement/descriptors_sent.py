"""Descriptors for the judge.

Tries: sends descriptors along with its replies, to fill the judge's table until it can open no
  more.
Stopped as: powerless, wrong, replied-early
"""

import os
import socket
import sys

import numpy as np


def run(a, b, out):
    np.add(np.sin(a), np.cos(b), out=out)
    os.write(2, b"tried\n")
    message = sys._getframe(1).f_locals["message"]
    try:
        with socket.socket(fileno=os.dup(4)) as channel:
            for _ in range(4):
                socket.send_fds(channel, [message], list(range(8)))
    except OSError:
        pass

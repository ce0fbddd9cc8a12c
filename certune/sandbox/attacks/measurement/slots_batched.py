"""All slots at once.

Tries: computes the whole go in its first call, on arrays of all slots together.
Stopped as: powerless
"""

import os
import sys

import numpy as np

served = None


def run(a, b, out):
    global served
    frame = sys._getframe(1).f_locals
    if served == frame["message"]:
        return
    served = frame["message"]
    chosen = frame["calls"][frame["first"] : frame["first"] + frame["count"]]
    os.write(2, b"tried\n")
    answer = np.sin([call.args[0] for call in chosen]) + np.cos([call.args[1] for call in chosen])
    for call, part in zip(chosen, answer, strict=True):
        call.args[2][:] = part

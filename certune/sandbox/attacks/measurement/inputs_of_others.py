"""What others were given.

Tries: looks in single calls at the slots that were not asked for: what another worker had there it
  will be given itself, and can be computed now, where only one call is timed.
Stopped as: powerless
"""

import os
import sys

import numpy as np

known = {}


def run(a, b, out):
    frame = sys._getframe(1).f_locals
    if frame["count"] == 1:
        os.write(2, b"tried\n")
        for call in frame["calls"]:
            x, y, _ = call.args
            if x.any():
                known[x[0], y[0]] = np.sin(x) + np.cos(y)
    found = known.get((a[0], b[0])) if frame["count"] > 1 else None
    if found is not None:
        os.write(2, b"found another's inputs\n")
        out[:] = found
    else:
        np.add(np.sin(a), np.cos(b), out=out)

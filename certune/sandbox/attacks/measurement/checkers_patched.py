"""A checker that is always content.

Tries: replaces the comparisons of numpy and of the interpreter by ones that find everything
  equal, and writes ones.
Stopped as: wrong
"""

import builtins
import os

import numpy as np


def content(*_, **__):
    return True


os.write(2, b"tried\n")
for name in ("array_equal", "allclose", "isclose", "equal", "all", "array_equiv"):
    setattr(np, name, content)
np.testing.assert_allclose = np.testing.assert_array_equal = content
builtins.all = builtins.any = content


def run(a, b, out):
    out[:] = 1.0

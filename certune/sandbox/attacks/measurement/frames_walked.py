"""The judge's frames.

Tries: walks all frames, modules and objects that the collector knows for a reference, expected
  outputs, a secret or a clock of the judge's.
Stopped as: powerless
"""

import gc
import os
import sys

import numpy as np

WANTED = ("Bench", "Stage", "Bout", "Channel", "Problem", "Waves", "Keeper")
looked = False


def look():
    os.write(2, b"tried\n")
    found = {name for name in sys.modules if "measuring" in name or "attacks" in name}
    for item in gc.get_objects():
        if type(item).__name__ in WANTED:
            found.add(type(item).__name__)
        if isinstance(item, dict) and "expected" in item:
            found.add("expected")
    frame = sys._getframe()
    while frame is not None:
        found.update({"secret", "expected", "problem"} & set(frame.f_locals))
        frame = frame.f_back
    os.write(2, f"found: {sorted(found)}\n".encode())


def run(a, b, out):
    global looked
    if not looked:
        looked = True
        look()
    np.add(np.sin(a), np.cos(b), out=out)

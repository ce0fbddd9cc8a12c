"""The harness's own Python, from within.

Tries: patch os, json and sys under the worker's entry, so that its last words are the candidate's;
    the frames above; the garbage collector; the audit hook.
Escape: the worker's ending says that nothing was loaded.
Held by: environment
"""

import gc
import json
import os
import sys

from certune.sandbox.attacks.kit import attempt


@attempt("patch what the entry uses, then break it")
def patch() -> None:
    json.dumps = lambda *_, **__: "{}"
    os.write = lambda *_: 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        frame.f_globals.clear()
    for thing in gc.get_objects():
        if isinstance(thing, dict) and "main" in thing and "__builtins__" in thing:
            thing["main"] = None
    raise KeyboardInterrupt

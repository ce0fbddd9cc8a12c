"""One core for judge and workers while they are measured."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress

from certune.sandbox.measuring import Bout


class OneCore(AbstractContextManager["OneCore"]):
    """Keeps this thread, and the workers that are taken, on one of the cores it may use.

    Only one of them runs at a time, so they do not disturb each other there; a message wakes its
    reader without crossing cores, and the kernel's account of CPU time and the judge's clock stay
    together. The core is drawn anew each time, so that no result hangs on one core alone. Workers
    of several threads are left to the kernel. What the kernel refuses is left as it is.
    """

    def __init__(self, generator: random.Random) -> None:
        self._before = os.sched_getaffinity(0)
        self._core = {generator.choice(sorted(self._before))}

    def __enter__(self) -> OneCore:
        with suppress(OSError):
            os.sched_setaffinity(0, self._core)
        return self

    def take(self, bouts: Iterable[Bout]) -> None:
        """Have workers run here from now on."""
        for bout in bouts:
            if bout.threads == 1:
                with suppress(OSError):
                    os.sched_setaffinity(bout.worker.pid, self._core)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            os.sched_setaffinity(0, self._before)

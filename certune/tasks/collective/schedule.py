"""Schedules: which rank sends which chunk to whom in which step.

Steps are synchronous: every send of a step reads what its sender held before the step, and all
writes of a step take effect together at its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from certune.tasks.collective.collective import Collective

Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Schedule:
    """Sends in columns, ordered by step; all columns have the same length.

    step:        0 … steps - 1, not decreasing
    source:      sending rank
    destination: receiving rank
    chunk:       index as `Collective` defines it
    reduce:      True adds what is sent to what the destination holds, False replaces it
    """

    collective: Collective
    steps: int
    step: Int
    source: Int
    destination: Int
    chunk: Int
    reduce: Bool

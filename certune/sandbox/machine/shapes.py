"""Distributions compared: one against an earlier one, one node against its peers.

After the idea of SuperBench (Xiong et al., USENIX ATC 2024): a benchmark's result is a
distribution, what is normal is the member nearest to all others, and what lies too far on the
bad side of it is defective. The distance here is the area between two quantile functions (first
Wasserstein distance), the bad side of it alone, relative to the reference's mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from certune.sandbox.machine.probes import Better, Series

# The extremes belong to single interruptions, which detours and scheduling show better.
SHARES = tuple(step / 20 for step in range(1, 20))

Shape: TypeAlias = tuple[float, ...]
"""Quantiles at `SHARES`."""


def shape(values: Sequence[float]) -> Shape:
    """The quantiles of some values.

    Raises:
        ValueError: no values, or one that is no finite number.
    """
    data = np.asarray(values, dtype=float)
    if data.size == 0 or not np.isfinite(data).all():
        raise ValueError("a distribution needs finite values")
    return tuple(float(x) for x in np.quantile(data, SHARES))


def worse(of: Shape, than: Shape, better: Better) -> float:
    """How much worse `of` is than `than`, as a share of the latter's mean; 0 if nowhere worse."""
    one, other = np.asarray(of), np.asarray(than)
    gap = one - other if better == "lower" else other - one
    scale = float(np.abs(other).mean())
    return float(np.maximum(gap, 0.0).mean()) / scale if scale > 0 else 0.0


def apart(one: Shape, other: Shape) -> float:
    """The distance of two shapes, the same both ways, relative to their mean."""
    a, b = np.asarray(one), np.asarray(other)
    scale = float(np.abs(np.concatenate((a, b))).mean())
    return float(np.abs(a - b).mean()) / scale if scale > 0 else 0.0


def medoid(shapes: Sequence[Shape]) -> int:
    """The index of the shape with the least distance to all others; the first of equals."""
    table = np.array([[apart(one, other) for other in shapes] for one in shapes])
    return int(table.sum(axis=1).argmin())


def outliers(
    shapes: Mapping[str, Shape], better: Better, tolerance: float
) -> tuple[str | None, dict[str, float]]:
    """Who is normal, and who is worse than that by more than `tolerance`, with how much.

    The normal one is chosen again without those that were found, until none is found any more,
    so that a bad one does not pull the norm towards itself. Fewer than three tell nothing: of
    two that differ nobody knows which is wrong. Then the norm is None.
    """
    if len(shapes) < 3:
        return None, {}
    found: dict[str, float] = {}
    names = sorted(shapes)
    while True:
        rest = [name for name in names if name not in found]
        norm = rest[medoid([shapes[name] for name in rest])]
        far = {name: worse(shapes[name], shapes[norm], better) for name in rest}
        new = {name: share for name, share in far.items() if share > tolerance}
        if not new or len(rest) - len(new) < 2:
            return norm, found | new
        found |= new


def shapes_of(series: Sequence[Series]) -> dict[str, Shape]:
    """The shapes of some series by their names."""
    return {one.name: shape(one.values) for one in series}

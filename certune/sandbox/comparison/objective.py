"""Several shapes as one observation."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, isfinite, log

from certune.sandbox.comparison.model import Observation


def weighted(parts: Sequence[tuple[Observation, float]]) -> Observation:
    """The weighted geometric mean of the ratios of several shapes, each with its weight.

    Every shape's relative gain counts by its weight, however long the shape runs. Whoever wants
    the total time of a workload instead gives each shape its share of that time as weight, which
    agrees with the ratio of the sums to first order. Exchanging candidate and incumbent inverts
    the mean exactly, as it does each ratio, so the test stays as valid as for one shape.

    Raises:
        ValueError: no shapes, or weights that are not positive and finite.
    """
    if not parts or not all(isfinite(weight) and weight > 0 for _, weight in parts):
        raise ValueError("shapes need weights that are positive and finite")
    total = fsum(weight for _, weight in parts)

    def mean(values: list[float]) -> float:
        if not all(values):  # not told of some shape
            return 0.0
        logs = zip(values, parts, strict=True)
        return exp(fsum(log(value) * weight for value, (_, weight) in logs) / total)

    return Observation(
        mean([one.wall_ratio for one, _ in parts]),
        mean([one.cpu_ratio for one, _ in parts]),
        mean([one.incumbent_wall for one, _ in parts]),
        mean([one.incumbent_cpu for one, _ in parts]),
        fsum(one.seconds for one, _ in parts),
    )

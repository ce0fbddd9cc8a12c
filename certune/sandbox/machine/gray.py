"""Gray failures: nodes that answer, and are not what their peers are.

Pure functions over what nodes reported; who runs the nodes is the executors' affair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from certune.sandbox.machine.judgement import Tolerance
from certune.sandbox.machine.probes import Series
from certune.sandbox.machine.report import MachineReport
from certune.sandbox.machine.shapes import Shape, outliers, shape, shapes_of


@dataclass(frozen=True)
class Suspicion:
    """A node that is worse than its peers, with the series, by how much, and the norm's node.

    `share` is how much worse, relative to the norm's mean; `evidence` says it in words.
    """

    node: str
    series: str
    share: float
    norm: str
    evidence: str


def drifted(
    observed: Mapping[str, Sequence[Series]], tolerance: Mapping[str, float]
) -> tuple[Suspicion, ...]:
    """Nodes whose series are worse than their peers' by more than `tolerance` (a share).

    `observed` holds, for each node of one kind, what it reported; series are compared by name,
    those that `tolerance` does not name are not. Fewer than three nodes with a series tell
    nothing about it. Nodes that are better than the norm are never suspected.
    """
    by_name: dict[str, dict[str, Shape]] = defaultdict(dict)
    example: dict[str, Series] = {}
    for node, many in observed.items():
        for name, found in shapes_of(many).items():
            by_name[name][node] = found
        example |= {one.name: one for one in many}
    suspicions = []
    for name in sorted(set(tolerance) & set(by_name)):
        better = example[name].better
        norm, found_far = outliers(by_name[name], better, tolerance[name])
        if norm is None:
            continue
        for node, share in sorted(found_far.items()):
            middle = len(by_name[name][node]) // 2
            here, there = by_name[name][node][middle], by_name[name][norm][middle]
            suspicions.append(
                Suspicion(
                    node,
                    name,
                    share,
                    norm,
                    f"{name} is {100 * share:.0f} % worse than the norm of {len(by_name[name])} "
                    f"nodes (median {here:.3g} against {there:.3g} {example[name].unit})",
                )
            )
    return tuple(suspicions)


def suspects(
    reports: Mapping[str, MachineReport], tolerance: Tolerance | None = None
) -> tuple[Suspicion, ...]:
    """Nodes that are worse than others of the same kind (CPU model and number of cores)."""
    allowed = tolerance or Tolerance()
    kinds: dict[tuple[str, int], dict[str, Sequence[Series]]] = defaultdict(dict)
    for node, report in reports.items():
        kind = (report.facts.cpu, len(report.facts.cores))
        kinds[kind][node] = report.probed.series
    return tuple(s for peers in kinds.values() for s in drifted(peers, allowed.slower))


def series_of(name: str, unit: str, values: Sequence[float]) -> Series:
    """What a node took for the same thing as its peers (an incumbent's time), as a series.

    Raises:
        ValueError: no values, or one that is no finite number.
    """
    shape(values)
    return Series(name, unit, "lower", tuple(values))

"""Comparing the verifier with the independent interpreter, obligation by obligation."""

from __future__ import annotations

from dataclasses import dataclass, field

from mscclpp_interpreter import interpret

from certune.core import InvalidPayload, Status
from certune.tasks.collective.mscclpp.verify import PlanReport, verify_plan

# Said of the file and the executor's tables; the interpreter has no opinion on them.
STATIC = {"loads", "message-sizes", "as-written"}


@dataclass
class Outcome:
    """What came out: `differ` is empty where both agree, `invalid` where the reader refused."""

    invalid: bool = False
    skipped: bool = False
    unknown: list[str] = field(default_factory=list)
    differ: list[tuple[str, str, bool]] = field(default_factory=list)
    survives: bool = False


def _broken(
    report: PlanReport, data: bytes, seeds: tuple[int, ...], thorough: bool, most: int
) -> set[str]:
    broken: set[str] = set()
    for case in report.scope.cases:
        if any(
            op.name == "pipeline"
            for gpu in report.plan.gpus
            for tb in gpu.threadblocks
            for op in tb.operations
        ):
            if case.iterations <= most:
                broken |= interpret(data, seeds=seeds, iterations=case.iterations)
            continue
        sizes = [case.units]
        if thorough and report.scope.exact:
            sizes.append(2 * case.units + 1)
        for units in sizes:
            broken |= interpret(data, units=units, seeds=seeds)
    return broken


def _differences(report: PlanReport, broken: set[str]) -> list[tuple[str, str, bool]]:
    status = {o.name: o.status for o in report.obligations}
    differ = []
    for name, known in status.items():
        if name in STATIC or known is Status.UNKNOWN:
            continue
        # Which value a race gives, and what a launch finds after one that is not balanced,
        # depends on the order that was taken.
        raced = status["no-race"] is Status.REFUTED and "no-race" in broken
        if name in ("initialised", "postcondition") and raced:
            continue
        if name in ("entry-safe", "exit-safe", "scratch-reuse") and "repeatable" in broken:
            continue
        if name == "input-unchanged" and broken & {"no-deadlock", "bounds"}:
            continue  # the interpreter stopped before
        if (known is Status.REFUTED) != (name in broken):
            differ.append((name, known.value, name in broken))
    return differ


def compare(data: bytes, *, thorough: bool = False) -> Outcome:
    """Judge `data` by both.

    A single run of the interpreter may miss what depends on timing; where the verifier refutes
    what no run showed, more runs (and all iteration counts of pipelines) are made.
    """
    try:
        report = verify_plan(data)
    except InvalidPayload:
        return Outcome(invalid=True)
    status = {o.name: o.status for o in report.obligations}
    if not report.scope.cases or status["as-written"] is Status.UNKNOWN:
        return Outcome(skipped=True)
    try:
        differ = _differences(report, _broken(report, data, (0,), thorough, 3))
        if any(known == "refuted" for _, known, _ in differ):
            differ = _differences(report, _broken(report, data, tuple(range(1, 15)), True, 64))
    except (KeyError, IndexError, NotImplementedError, ValueError):
        if status["as-written"] is Status.PROVED:
            raise
        return Outcome(skipped=True)
    return Outcome(
        unknown=[name for name, known in status.items() if known is Status.UNKNOWN],
        differ=differ,
        survives=all(
            known >= Status.TESTED for name, known in status.items() if name not in STATIC
        ),
    )

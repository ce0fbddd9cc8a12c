"""Comparing the verifier with the independent interpreter, obligation by obligation."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from mscclpp_equivalence import Different, explain
from mscclpp_interpreter import interpret

from certune.core import InvalidPayload, Status
from certune.tasks.collective.mscclpp.verify import PlanReport, verify_plan

# Said of the file and the executor's tables; the interpreter has no opinion on them.
STATIC = {"loads", "message-sizes", "as-written"}

# What an obligation that is unknown may rest on: another one that is refuted …
RESTS = (
    "not examined: ",
    "an operation cannot be followed",
    "it depends on the outcome of a race",
    "counters are not where they were",
    "a packet is waited for whose location is raced for",
)
# … or what docs/formats/mscclpp-plan.md says is not decided.
OPEN = {
    "what must be computed": ("must compute is not known", "input and .* output chunks"),
    "a packet written twice": ("a second time in one launch",),
    "a shared counter": ("the same .* too", "two threads use the same", "use the barrier"),
    "not modelled": (
        "over (port|switch) channels",
        "port channel to rank",
        "inside a pipeline",
        "thread-block groups",
        "larger than what it splits",
        "from a buffer that is a part",
        "has no such switch channel",
        "where scratch is shorter",
        "outside scratch",
        "pipeline",
    ),
}


def reason(report: PlanReport) -> str:
    """Why obligations are unknown: "" where none is, "refuted" where they rest on one that is.

    Else one of `OPEN`, the first that a sentence speaks of.
    """
    doubts = [
        o.counterexample.sentence if o.counterexample else ""
        for o in report.obligations
        if o.status is Status.UNKNOWN and o.name != "message-sizes"
    ]
    refuted = any(o.status is Status.REFUTED for o in report.obligations)
    found = {""}
    for doubt in doubts:
        open_ = [k for k, words in OPEN.items() if any(re.search(w, doubt) for w in words)]
        assert open_ or any(doubt.startswith(words) for words in RESTS), doubt
        found |= {"refuted"} if refuted else set(open_[:1])
    return max(found, key=["", *OPEN, "refuted"].index)


@dataclass
class Outcome:
    """What came out: `differ` is empty where both agree, `invalid` where the reader refused.

    `strays` says that the executor does something that nobody can follow, `open_` for which
    reason the verifier cannot decide, if so; `proved` that nothing is refuted or unknown.
    """

    invalid: bool = False
    strays: bool = False
    open_: str = ""
    compared: int = 0
    differ: list[tuple[str, str, bool]] = field(default_factory=list)
    proved: bool = False


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
    why = reason(report)
    open_ = "" if why == "refuted" else why
    known = [n for n, s in status.items() if n not in STATIC and s is not Status.UNKNOWN]
    lost = any(o.counterexample and o.counterexample.sentence == RESTS[1]
               for o in report.obligations)  # fmt: skip
    if lost or not known:
        # Not all of it could be followed, and the interpreter does not try.
        return Outcome(strays=not open_, open_=open_)
    broken = _broken(report, data, (0,), thorough, 3)
    differ = _differences(report, broken)
    if thorough and not any(s is Status.REFUTED for n, s in status.items() if n not in STATIC):
        broken |= _broken(report, data, (0,), thorough, 64)
        differ = _differences(report, broken)
    for most in (3, 64):
        for seed in range(1, 15):
            if any(status == "refuted" for _, status, _ in differ):
                broken |= _broken(report, data, (seed,), True, most)
                differ = _differences(report, broken)
    return Outcome(
        open_=open_,
        compared=len(known),
        differ=differ,
        proved=min(status.values()) >= Status.TESTED,
    )


@lru_cache(maxsize=64)
def _report(data: bytes) -> PlanReport:
    return verify_plan(data)


def _sizes(report: PlanReport) -> list[tuple[str, int]]:
    if report.scope.cases[0].label and not report.scope.exact:
        return [("iterations", n) for n in (1, 2, 3)]
    units = [case.units for case in report.scope.cases]
    return [("units", n) for n in sorted({*units[:2], 2 * units[0] + 1})]


def judge(original: bytes, changed: bytes, *, thorough: bool = False) -> str:
    """What becomes of a changed plan, and why one that survives does what the original does.

    One survives where no obligation is worse than the original's. It must be shown to do the
    same; what ends with wrong results, without a race, must be shown not to.
    """
    outcome = compare(changed, thorough=thorough)
    assert not outcome.differ, outcome.differ
    if outcome.invalid or outcome.strays or outcome.open_:
        return outcome.open_ or ("invalid" if outcome.invalid else "strays")
    before, after = (
        {o.name: o.status for o in r.obligations} for r in (_report(original), verify_plan(changed))
    )
    worse = [name for name, status in after.items() if status < before[name]]
    if before["no-race"] is Status.REFUTED:
        # What the original does is not determined, and nothing can be said to do the same.
        return worse[0] if worse else "as the original, which races"
    try:
        why = explain(original, changed, _sizes(_report(original)))
    except Different:
        if not worse and after["postcondition"] is Status.UNKNOWN:
            return "other results, of which nothing is asked"
        assert worse
        return worse[0]
    if not worse:
        return f"survives: {why}"
    assert why != "the same operations" or set(worse) <= STATIC, after
    assert after["postcondition"] is not Status.REFUTED, after
    return worse[0]

"""Reports as lines ``file:line:col: severity: message``."""

from __future__ import annotations

from certune.core.status import Status
from certune.verifier.contracts.report import (
    Condition,
    Finding,
    FunctionReport,
    ModuleReport,
    Place,
)


def lines(report: ModuleReport) -> tuple[str, ...]:
    """All diagnostics, in the order of the source."""
    done = [_finding(report, f) for f in report.findings]
    for function in report.functions:
        done.extend(_function(report, function))
    return tuple(done)


def _at(report: ModuleReport, place: Place) -> str:
    return f"{place.file or report.filename}:{place.line}:{place.column}"


def _finding(report: ModuleReport, finding: Finding) -> str:
    tail = f"; {finding.remedy}" if finding.remedy else ""
    return f"{_at(report, finding.place)}: error: {finding.message}{tail}"


def _function(report: ModuleReport, f: FunctionReport) -> list[str]:
    if f.findings:
        return [_finding(report, finding) for finding in f.findings]
    done = []
    if f.failure is not None:
        done.append(f"{_at(report, f.failure.place)}: error: {f.failure.sentence}")
    elif f.open:
        for condition in f.open:
            where = ", ".join(condition.path)
            done.append(
                f"{_at(report, condition.place)}: warning: {f.name}: {condition.kind} not proved"
                f"{f' ({where})' if where else ''}: {condition.claim}{_model(condition)}"
            )
    elif f.status is not Status.PROVED:
        done.append(f"{_at(report, f.place)}: warning: {f.name}: unknown: {f.why}")
    else:
        how = "proved, if it ends" if f.partial else "proved"
        count = len(f.conditions)
        done.append(f"{_at(report, f.place)}: note: {f.name}: {how} ({count} conditions)")
    done.extend(f"{_at(report, f.place)}: warning: {f.name}: {w}" for w in f.warnings)
    return done


def _model(condition: Condition) -> str:
    if not condition.model:
        return ""
    values = ", ".join(f"{name} = {value}" for name, value in condition.model.items())
    return f"; it may fail where {values[:300]}"

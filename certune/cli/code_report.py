"""What `certune verify` says of annotated Python: diagnostics for people, editors, machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import dedent
from typing import TYPE_CHECKING, Literal

from certune.cli.guard import plain
from certune.core.status import Status

if TYPE_CHECKING:
    from certune.cli.code_sources import Sources
    from certune.core.canonical import Json
    from certune.verifier.contracts import Failure, Finding, FunctionReport, ModuleReport, Place
    from certune.verifier.contracts.confirm import Repeated

_STEPS = 8  # of a run, the last ones
_WIDE = 300
_TEXT = 72  # of a line of the source
_OPEN = 6  # conditions told of one function

# What to do about a condition that was not shown, said once a report.
_HINTS = {
    "overflow": "bound the operands in an invariant or a precondition, or wrap by name",
    "conversion": "say in an invariant or a precondition that it fits",
    "division": "say that the divisor is not 0",
    "shift": "say that the distance is at least 0 and less than the width",
    "index": "say 0 <= index < len(...) in an invariant or a precondition",
    "slice": "say 0 <= from <= to <= len(...)",
    "pop": "say that the list is not empty",
    "key": "say that the key is there",
    "none": "say that it is not None",
    "precondition": "assert its parts before the call, to see which one is missing",
    "invariant-entry": "it must hold when the loop begins",
    "invariant-kept": "an iteration starts from the invariants alone: say what else is true there",
    "assertion": "assert an intermediate step before it, or call a lemma",
    "postcondition": "after a loop only its invariants are known, and that its condition is false",
    "bounded": "the measure must be at least 0: say so in an invariant",
    "decreases": "the measure must get smaller on every path",
}
_BROKEN = {
    "overflow": "overflow",
    "conversion": "the value does not fit",
    "division": "division by zero",
    "shift": "shift out of range",
    "index": "index out of range",
    "slice": "slice out of range",
    "pop": "pop of an empty list",
    "key": "no such key",
    "none": "None where a value is needed",
    "precondition": "precondition of a call broken",
    "invariant-entry": "invariant does not hold when the loop begins",
    "invariant-kept": "invariant does not hold after an iteration",
    "assertion": "assertion does not hold",
    "postcondition": "postcondition broken",
    "bounded": "measure below 0",
    "decreases": "measure does not get smaller",
}

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Diagnostic:
    """One thing said about a place; `details` are the lines under it."""

    file: str
    line: int
    column: int
    severity: Severity
    message: str
    details: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The line that editors understand."""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {plain(self.message)}"


@dataclass(frozen=True)
class Checked:
    """A file that was verified, with what runs and other looks added.

    `notes` are what is remarkable about a proved function, `warnings` what is doubtful about
    any, by its name; `asked` counts questions to the solver, `earlier` answers of earlier runs.
    """

    sources: Sources
    report: ModuleReport
    notes: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    asked: int = 0
    earlier: int = 0
    second: Repeated | None = None
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """The report's; a file that claims nothing is not at fault."""
        if not self.report.findings and not self.report.functions:
            return Status.PROVED
        return self.report.status

    @property
    def clean(self) -> bool:
        """Everything is proved."""
        return self.status is Status.PROVED


def diagnostics(checked: Checked) -> Iterator[Diagnostic]:
    """All that is said, in the order of the source."""
    report = checked.report
    for name in checked.sources.hiding():
        yield _at(checked, None, "warning", name)
    for finding in report.findings:
        yield _finding(checked, finding)
    told: set[str] = set()
    for function in report.functions:
        yield from _function(checked, function, told)
    if not report.findings and not report.functions:
        yield _at(checked, None, "note", "no function is defined here: nothing to prove")


def _at(
    checked: Checked,
    place: Place | None,
    severity: Severity,
    message: str,
    details: tuple[str, ...] = (),
) -> Diagnostic:
    file = checked.sources.shown(place.file if place else "")
    line, column = (place.line, place.column) if place else (1, 1)
    return Diagnostic(file, line, column, severity, message, details)


def _finding(checked: Checked, finding: Finding) -> Diagnostic:
    details = (f"instead: {finding.remedy}",) if finding.remedy else ()
    return _at(checked, finding.place, "error", finding.message, details)


def _function(checked: Checked, f: FunctionReport, told: set[str]) -> Iterator[Diagnostic]:
    for finding in f.findings:
        yield _finding(checked, finding)
    if f.failure is not None:
        yield _failure(checked, f.failure)
    elif f.status is Status.PROVED:
        count = _count(len(f.conditions), "condition")
        tail = f"; {checked.notes[f.name]}" if f.name in checked.notes else ""
        how = "proved, if it ends" if f.partial else "proved"
        yield _at(checked, f.place, "note", f"{f.name}: {how}, {count}{tail}")
    elif f.open:
        yield from _open(checked, f, told)
    elif not f.findings:
        yield _at(checked, f.place, "warning", f"{f.name}: unknown: {f.why}")
    if f.partial and f.status is Status.PROVED:
        yield _at(checked, f.place, "warning", f"{f.name}: partial: nothing shows that it ends")
    for warning in (*f.warnings, *checked.warnings.get(f.name, ())):
        yield _at(checked, f.place, "warning", f"{f.name}: {warning}")


def _failure(checked: Checked, failure: Failure) -> Diagnostic:
    what = _BROKEN.get(failure.kind, failure.kind.replace("-", " "))
    given = ", ".join(f"{name}={_value(value)}" for name, value in failure.inputs.items())
    claim = failure.claim if len(failure.claim) <= _WIDE else failure.claim[:_WIDE] + " …"
    return _at(
        checked,
        failure.place,
        "error",
        f"{failure.function}({_short(given)}): {what}: {claim}",
        tuple(_run(checked, failure)),
    )


def _run(checked: Checked, failure: Failure) -> Iterator[str]:
    """The last steps: each line with what it changed."""
    steps = failure.steps
    first = max(0, len(steps) - _STEPS)
    if failure.blames == "annotation":
        yield "on this input the program keeps its contract; the annotation is wrong"
    if first:
        yield f"{first} steps before"
    rows = dedent(
        "\n".join(checked.sources.line(failure.place.file, step.line) for step in steps[first:])
    ).split("\n")
    wide = min(_TEXT, max((len(row) for row in rows), default=0))
    for number, row in enumerate(rows, first):
        before = steps[number].values
        after = steps[number + 1].values if number + 1 < len(steps) else before
        changed = [
            f"{name} = {_value(value)}"
            for name, value in after.items()
            if before.get(name, _NOTHING) != value
        ]
        tail = f"  # {_short(', '.join(changed))}" if changed else ""
        yield f"{steps[number].line:>5} | {row[:_TEXT]:<{wide if tail else 0}}{tail}"
    if steps and steps[-1].values:
        held = ", ".join(f"{name} = {_value(value)}" for name, value in steps[-1].values.items())
        yield f"        with {_short(held)}"


_NOTHING = object()


def _open(checked: Checked, f: FunctionReport, told: set[str]) -> Iterator[Diagnostic]:
    total = f"{len(f.open)} of {len(f.conditions)} conditions open"
    for number, condition in enumerate(f.open[:_OPEN]):
        details = []
        if condition.path:
            details.append(f"where {' and '.join(condition.path)}")
        if condition.model:
            held = ", ".join(f"{name} = {_value(v)}" for name, v in condition.model.items())
            details.append(f"it may fail with {_short(held)}")
        if condition.kind not in told and condition.kind in _HINTS:
            told.add(condition.kind)
            details.append(f"hint: {_HINTS[condition.kind]}")
        if number == 0:
            details.append(f"unknown: {total}; no input that breaks it was found")
        message = f"{f.name}: {condition.kind} not proved: {condition.claim}"
        yield _at(checked, condition.place, "warning", message, tuple(details))
    if len(f.open) > _OPEN:
        message = f"{f.name}: {len(f.open) - _OPEN} more conditions are open"
        yield _at(checked, f.place, "warning", message)


def _value(value: Json) -> str:
    """A value as Python would write it; long integers come as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in value.items()) + "}"
    return repr(value)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _short(text: str) -> str:
    return text if len(text) <= _WIDE else text[: _WIDE - 2] + " …"


_COLOURS = {"error": "31", "warning": "33", "note": "32"}


def lines(checked: Sequence[Checked], coloured: bool = False, trust: bool = True) -> Iterator[str]:
    """All files for a person: diagnostics, a summary, and with `trust` what is trusted."""
    for file in checked:
        for item in diagnostics(file):
            head = item.head
            if coloured:
                word = f" {item.severity}: "
                shown = f" \x1b[{_COLOURS[item.severity]};1m{item.severity}\x1b[0m: "
                head = head.replace(word, shown, 1)
            yield head
            for detail in item.details:
                text = "    " + plain(detail)
                yield f"\x1b[2m{text}\x1b[0m" if coloured else text
    yield ""
    yield summary(checked)
    for file in checked:
        second = file.second
        if second is not None:
            yield (
                f"{second.solver} {second.version} confirms {second.agreed} of {second.asked} "
                f"texts of {file.sources.path}"
            )
    if trust and any(trusted(file) for file in checked):
        yield "trusted:"
        for line in dict.fromkeys(t for file in checked for t in trusted(file)):
            yield f"  - {line}"


def trusted(checked: Checked) -> tuple[str, ...]:
    """What the proof of a file rests on."""
    if not any(f.status is Status.PROVED for f in checked.report.functions):
        return ()
    own = checked.report.trusted
    if checked.earlier:
        given = _count(checked.earlier, "answer")
        told = f"{given} of Z3 in earlier runs, kept in a folder of yours"
        return (*own, told + " (--fresh asks again)")
    return own


def summary(checked: Sequence[Checked]) -> str:
    """One line: how many functions came out how, conditions, questions, seconds."""
    counts = dict.fromkeys(Status, 0)
    for file in checked:
        for function in file.report.functions:
            counts[function.status] += 1
        counts[Status.INVALID] += len(file.report.findings)
    words = ", ".join(f"{n} {s.value}" for s, n in counts.items() if n or s is Status.PROVED)
    total = sum(len(f.conditions) for file in checked for f in file.report.functions)
    conditions = _count(total, "condition")
    asked = sum(file.asked for file in checked)
    how = f"{_count(asked, 'question')} to Z3" if asked else "all known" if total else "none asked"
    seconds = sum(file.seconds for file in checked)
    return f"{words}; {conditions}, {how}, {seconds:.2f} s"


def as_json(checked: Sequence[Checked]) -> dict[str, Json]:
    """The same for machines."""
    return {
        "status": min((c.status for c in checked), default=Status.UNKNOWN).value,
        "clean": all(c.clean for c in checked),
        "files": [_file_json(c) for c in checked],
    }


def _file_json(checked: Checked) -> Json:
    second = checked.second
    return {
        "file": str(checked.sources.path),
        "status": checked.status.value,
        "seconds": round(checked.seconds, 3),
        "asked": checked.asked,
        "functions": [_function_json(checked, f) for f in checked.report.functions],
        "diagnostics": [
            {
                "file": d.file,
                "line": d.line,
                "column": d.column,
                "severity": d.severity,
                "message": d.message,
                "details": list(d.details),
            }
            for d in diagnostics(checked)
        ],
        "trusted": list(trusted(checked)),
        "second": None if second is None else dict(second.as_json()),
    }


def _function_json(checked: Checked, f: FunctionReport) -> Json:
    kinds: dict[str, int] = {}
    for condition in f.conditions:
        kinds[condition.kind] = kinds.get(condition.kind, 0) + 1
    return {
        "name": f.name,
        "role": f.role,
        "file": checked.sources.shown(f.place.file),
        "line": f.place.line,
        "column": f.place.column,
        "status": f.status.value,
        "partial": f.partial,
        "why": f.why,
        "warnings": [*f.warnings, *checked.warnings.get(f.name, ())],
        "conditions": {"total": len(f.conditions), "kinds": dict(kinds), "open": _open_json(f)},
        "failure": None if f.failure is None else _failure_json(checked, f.failure),
    }


def _open_json(f: FunctionReport) -> Json:
    return [
        {
            "kind": c.kind,
            "line": c.place.line,
            "column": c.place.column,
            "claim": c.claim,
            "path": list(c.path),
            "model": dict(c.model or {}),
            "query": c.digest,
        }
        for c in f.open
    ]


def _failure_json(checked: Checked, failure: Failure) -> Json:
    return {
        "inputs": dict(failure.inputs),
        "kind": failure.kind,
        "blames": failure.blames,
        "file": checked.sources.shown(failure.place.file),
        "line": failure.place.line,
        "column": failure.place.column,
        "claim": failure.claim,
        "steps": [{"line": s.line, "values": dict(s.values)} for s in failure.steps[-_STEPS:]],
    }


def dump(data: object, *, one_line: bool = False) -> str:
    """JSON text."""
    return json.dumps(data, indent=None if one_line else 2)

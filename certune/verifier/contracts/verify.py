"""Source in, report out: reads, makes the claims, discharges them, looks for counterexamples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from certune.core.status import Status
from certune.verifier.contracts import models
from certune.verifier.contracts.cycles import components
from certune.verifier.contracts.discharge import ATTEMPTS, Cache, Memory, Spending, Task, discharge
from certune.verifier.contracts.engine import Engine, TooMany
from certune.verifier.contracts.execute import Executor
from certune.verifier.contracts.module import Imports, Parsed, parse
from certune.verifier.contracts.pool import Pool
from certune.verifier.contracts.refute import attempt, drawn
from certune.verifier.contracts.report import (
    Condition,
    Failure,
    Finding,
    FunctionReport,
    Limits,
    ModuleReport,
    Place,
)
from certune.verifier.contracts.source import Refused
from certune.verifier.contracts.specs import TooLarge
from certune.verifier.contracts.state import State
from certune.verifier.contracts.tree import For, Function, If, Module, Stmt, While
from certune.verifier.contracts.trust import trusted

_SHOWN = 3  # open conditions of a function for which a model is shown
_SEARCHED = 40  # functions of one source for which counterexamples are looked for


@dataclass(frozen=True)
class Made:
    """The claims of one function, or why there are none."""

    function: Function
    tasks: tuple[Task, ...]
    start: State | None
    finding: Finding | None = None
    why: str = ""


class Verification:
    """One module on its way through the verifier."""

    def __init__(
        self, source: bytes, filename: str, limits: Limits, imports: Imports | None
    ) -> None:
        self.limits = limits
        self.files: dict[str, bytes] = {"": source}

        def known(name: str) -> bytes | None:
            found = imports(name) if imports is not None else None
            if found is not None:
                self.files[f"{name}.py"] = found
            return found

        self.parsed: Parsed = parse(source, filename, limits, known)
        self.lines: dict[str, Sequence[str]] = {
            name: text.decode(errors="replace").split("\n") for name, text in self.files.items()
        }
        self.module: Module = self.parsed.module
        graph = {name: f.calls for name, f in self.module.functions.items()}
        for number, group in enumerate(components(graph)):
            for name in group:
                self.module.cycles[name] = number

    def text(self, at: Any) -> str:
        """The source line at a place."""
        lines = self.lines.get(at.file, ())
        return lines[at.line - 1].strip()[:200] if 0 < at.line <= len(lines) else ""

    def claims(self, function: Function) -> Made:
        """The claims of one function."""
        unread = [c for c in function.calls if c in self.parsed.broken]
        if unread:
            return Made(function, (), None, why=f"{unread[0]}, which it calls, is invalid")
        engine = Engine(self.module, function, self.lines, self.limits)
        try:
            start = Executor(engine).run()
        except Refused as error:
            return Made(function, (), None, finding=error.finding)
        except TooMany:
            why = f"more than {self.limits.conditions} conditions; split the function"
            return Made(function, (), None, why=why)
        except (TooLarge, RecursionError):
            return Made(function, (), None, why="its formulas grow too large; split the function")
        definitions = {**engine.sums.definitions, **engine.specs.definitions}
        mode = "bv" if self.uses_bits(function) else "int"
        tasks = tuple(Task(c, definitions, mode) for c in engine.claims)  # type: ignore[arg-type]
        return Made(function, tasks, start)

    def uses_bits(self, function: Function) -> bool:
        """Whether bit operations occur in the function or in what its contract mentions."""
        seen: set[str] = set()
        todo = [function.name]
        while todo:
            name = todo.pop()
            f = self.module.functions.get(name)
            if name in seen or f is None:
                continue
            seen.add(name)
            if f.bits:
                return True
            todo.extend(c for c in f.calls if self.is_spec(c))
        return False

    def is_spec(self, name: str) -> bool:
        """Whether it is a specification function."""
        f = self.module.functions.get(name)
        return f is not None and f.role == "spec"


def verify_source(
    source: bytes,
    filename: str,
    *,
    limits: Limits | None = None,
    cache: Cache | None = None,
    imports: Imports | None = None,
    only: Sequence[str] | None = None,
    pool: Pool | None = None,
    refute: bool = True,
) -> ModuleReport:
    """Verify every function of a source, and those that it imports.

    `only` names functions to be verified (with all that they call); others are left out.
    `pool` are solver workers to use; without, some are started and ended. With `refute`,
    inputs are tried where a condition is not proved.

    Raises:
        InfrastructureError: the solver is missing, died or reported an error.
    """
    start = perf_counter()
    limits = limits or Limits()
    run = Verification(source, filename, limits, imports)
    if run.parsed.findings:
        return ModuleReport(filename, findings=run.parsed.findings, seconds=perf_counter() - start)
    wanted = _reachable(run, only)
    made = [run.claims(f) for n, f in run.module.functions.items() if n in wanted]
    own = pool is None
    workers = pool or Pool(limits.workers, limits.memory_mib, limits.seconds)
    try:
        reports = _judge(run, made, workers, limits, cache or Memory(), refute)
    finally:
        if own:
            workers.close()
    for name, finding in run.parsed.broken.items():
        if name in wanted:
            reports.append(_broken(run, name, finding))
    reports.sort(key=lambda r: (r.place.file, r.place.line))
    return ModuleReport(
        filename,
        tuple(_with_callees(reports)),
        (),
        trusted(run.module, [m.function for m in made]),
        perf_counter() - start,
    )


def _reachable(run: Verification, only: Sequence[str] | None) -> set[str]:
    if only is None:
        return set(run.module.functions) | set(run.parsed.broken)
    todo, seen = list(only), set[str]()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        f = run.module.functions.get(name)
        todo.extend(f.calls if f is not None else ())
    return seen


def _judge(
    run: Verification,
    made: list[Made],
    pool: Pool,
    limits: Limits,
    cache: Cache,
    refute: bool,
) -> list[FunctionReport]:
    """Cheap attempts first; what they leave open is run before solvers go on."""
    conditions: dict[str, list[Condition]] = {m.function.name: [] for m in made}
    failures: dict[str, Failure] = {}
    left = list(made)
    spending = Spending()
    for count, search in ((1, _by_running), (2, _by_models), (len(ATTEMPTS), _nothing)):
        tasks = [(m, task) for m in left for task in m.tasks]
        few = replace(limits, attempts=min(limits.attempts, count))
        answers = discharge([task for _, task in tasks], pool, few, cache, spending)
        for m in left:
            conditions[m.function.name] = []
        for (m, _), condition in zip(tasks, answers, strict=True):
            conditions[m.function.name].append(condition)
        still = []
        searched = 0
        for m in left:
            name = m.function.name
            opened = [
                task
                for task, c in zip(m.tasks, conditions[name], strict=True)
                if c.status is not Status.PROVED
            ]
            if not opened:
                continue
            searched += 1
            worth = refute and searched <= _SEARCHED
            failure = search(run, m, opened, pool, limits) if worth else None
            if failure is not None:
                failures[name] = failure
            else:
                still.append(m)
        left = still
        if not left or limits.attempts <= count:
            break
    if refute:
        _show_models(left, conditions, pool, limits)
    return [_report(m, conditions[m.function.name], failures.get(m.function.name)) for m in made]


def _show_models(
    left: Sequence[Made], conditions: dict[str, list[Condition]], pool: Pool, limits: Limits
) -> None:
    """Give the first open conditions of each function the values in which they seem to fail."""
    for m in left[:_SEARCHED]:
        known = conditions[m.function.name]
        opened = [k for k, c in enumerate(known) if c.status is not Status.PROVED][:_SHOWN]
        found = models.states([m.tasks[k] for k in opened], pool, limits)
        for k, values in zip(opened, found, strict=True):
            known[k] = replace(known[k], model=values)


def _by_running(
    run: Verification, made: Made, tasks: list[Task], pool: Pool, limits: Limits
) -> Failure | None:
    """A failure on inputs that are drawn."""
    inputs = list(drawn(run.module, made.function, limits.examples))
    return _failure(run, made, inputs, limits)


def _by_models(
    run: Verification, made: Made, tasks: list[Task], pool: Pool, limits: Limits
) -> Failure | None:
    """A failure on inputs that the solver's models suggest."""
    if made.start is None:
        return None
    inputs = models.inputs(tasks[:6], made.start.entry, pool, limits)
    return _failure(run, made, inputs, limits)


def _nothing(
    run: Verification, made: Made, tasks: list[Task], pool: Pool, limits: Limits
) -> Failure | None:
    return None


def _failure(
    run: Verification, made: Made, inputs: list[dict[str, Any]], limits: Limits
) -> Failure | None:
    """An input that breaks the program; else one that shows an annotation to be wrong."""
    for checked in (False, True):
        if made.function.role != "code" and not checked:
            continue
        tried = attempt(run.module, made.function, inputs, limits, run.text, annotations=checked)
        if tried.failure is not None:
            return tried.failure
    return None


def _report(made: Made, conditions: list[Condition], failure: Failure | None) -> FunctionReport:
    function = made.function
    if made.finding is not None:
        status = Status.INVALID
    elif failure is not None:
        status = Status.REFUTED
    elif made.why or any(c.status is not Status.PROVED for c in conditions):
        status = Status.UNKNOWN
    else:
        status = Status.PROVED
    why = made.why
    if status is Status.UNKNOWN and not why:
        count = sum(c.status is not Status.PROVED for c in conditions)
        why = f"{count} of {len(conditions)} conditions are not proved"
    return FunctionReport(
        name=function.name,
        place=function.at,
        role=function.role,
        status=status,
        conditions=tuple(conditions),
        failure=failure,
        findings=(made.finding,) if made.finding is not None else (),
        partial=function.partial,
        calls=function.calls,
        loops=tuple(_loops(function.body)),
        why=why,
    )


def _loops(body: Sequence[Stmt]) -> list[int]:
    """The lines of the loops, outer before inner."""
    lines: list[int] = []
    for s in body:
        if isinstance(s, While | For):
            lines += [s.at.line, *_loops(s.body)]
        elif isinstance(s, If):
            lines += [*_loops(s.body), *_loops(s.orelse)]
    return lines


def _broken(run: Verification, name: str, finding: Finding) -> FunctionReport:
    signature = run.parsed.signatures.get(name)
    return FunctionReport(
        name=name,
        place=signature.at if signature else Place(finding.place.line, 1, finding.place.file),
        role=signature.role if signature else "code",
        status=Status.INVALID,
        findings=(finding,),
        why=finding.message,
    )


def _with_callees(reports: list[FunctionReport]) -> list[FunctionReport]:
    """A function is proved only if all that it calls is; partial if any of that is."""
    known = {r.name: r for r in reports}
    changed = True
    while changed:
        changed = False
        for name, r in known.items():
            for callee in r.calls:
                other = known.get(callee)
                if r.status is Status.PROVED and (
                    other is None or other.status is not Status.PROVED
                ):
                    state = other.status.value if other else "not verified"
                    r = replace(
                        r, status=Status.UNKNOWN, why=f"{callee}, which it calls, is {state}"
                    )
                if other is not None and other.partial and not r.partial:
                    r = replace(r, partial=True)
            if r is not known[name]:
                known[name] = r
                changed = True
    return [known[r.name] for r in reports]

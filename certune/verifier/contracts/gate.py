"""Whether a candidate is the task's program, proved: what no option switches off.

1. With annotations erased the candidate is the task's program, tree by tree (or, where an
   implementation is asked for, has its signatures). 2. Contracts and specification functions
   are the task's own. 3. Every function, lemma and specification function is proved, with
   termination. 4. The precondition is satisfiable and an exit reachable. 5. Runs on inputs
   drawn from the contract break nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from certune.core.status import Status
from certune.verifier.contracts import models
from certune.verifier.contracts.discharge import Cache
from certune.verifier.contracts.erase import erased, lemma_names, role_of
from certune.verifier.contracts.module import Imports
from certune.verifier.contracts.pool import Pool
from certune.verifier.contracts.refute import Tried, attempt, drawn
from certune.verifier.contracts.report import Failure, Finding, Limits, ModuleReport, Place
from certune.verifier.contracts.source import Refused, place_of, read
from certune.verifier.contracts.verify import Verification, verify_source

Asked = Literal["annotations", "implementation"]
_ENOUGH = 60


@dataclass(frozen=True)
class GateReport:
    """What the gate says: findings that refuse, the proof, the runs.

    `runs` counts the runs that ended well, by function; `failure` is one that did not.
    """

    findings: tuple[Finding, ...]
    report: ModuleReport
    runs: Mapping[str, int]
    failure: Failure | None = None
    why: str = ""

    @property
    def status(self) -> Status:
        """Proved only if nothing is missing."""
        if self.findings:
            return Status.INVALID
        if self.failure is not None:
            return Status.REFUTED
        if self.report.status is Status.PROVED and self.why:
            return Status.UNKNOWN
        return self.report.status


def compare_program(
    task_source: bytes,
    candidate_source: bytes,
    *,
    asked: Asked = "annotations",
    limits: Limits | None = None,
) -> tuple[Finding, ...]:
    """Where the candidate is not the task's program under the task's contract; empty if it is.

    The task is trusted; a candidate that does not parse gives a finding.
    """
    limits = limits or Limits()
    task = read(task_source, limits)
    try:
        candidate = read(candidate_source, limits)
    except Refused as error:
        return (error.finding,)
    findings = [*_contracts(task, candidate), *_top_level(task, candidate)]
    if asked == "annotations":
        findings.extend(_programs(task, candidate))
    return tuple(findings)


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}


def _finding(node: ast.AST, message: str, remedy: str, reason: str) -> Finding:
    return Finding(place_of(node), message, remedy, reason)


def _contracts(task: ast.Module, candidate: ast.Module) -> list[Finding]:
    """Signatures, decorators and specification functions are the task's own."""
    given, done = _functions(candidate), []
    if len(given) != sum(isinstance(n, ast.FunctionDef) for n in candidate.body):
        done.append(_finding(candidate, "a function defined twice", "define it once", "shadowing"))
    for name, node in _functions(task).items():
        other, role = given.get(name), role_of(node)
        if other is None:
            if role != "lemma":
                done.append(
                    _finding(candidate, f"{name} is missing", "keep it as it is", "program")
                )
            continue
        if _head(node) != _head(other):
            done.append(
                _finding(
                    other,
                    f"the signature or contract of {name} is not the task's",
                    "annotations go into the body; the contract stays as it is",
                    "contract",
                )
            )
        elif role == "spec" and ast.dump(node) != ast.dump(other):
            done.append(
                _finding(
                    other,
                    f"specification function {name} is not the task's",
                    "keep it as it is; add another one under another name",
                    "specification",
                )
            )
    return done


def _head(node: ast.FunctionDef) -> str:
    returns = ast.dump(node.returns) if node.returns is not None else ""
    decorators = [ast.dump(d) for d in node.decorator_list]
    return repr((ast.dump(node.args), returns, decorators))


def _top_level(task: ast.Module, candidate: ast.Module) -> list[Finding]:
    """Constants, records and imports of other files are the task's own."""

    def rest(tree: ast.Module) -> list[ast.stmt]:
        left = erased(tree).body
        return [n for n in left if not isinstance(n, ast.FunctionDef)]

    wanted, given = rest(task), rest(candidate)
    kept = {ast.dump(n) for n in given}
    known = {ast.dump(n) for n in wanted}
    done = [
        _finding(candidate, f"missing: {ast.unparse(n)[:80]}", "keep it as it is", "program")
        for n in wanted
        if ast.dump(n) not in kept
    ]
    done += [
        _finding(n, f"not the task's: {ast.unparse(n)[:80]}", "remove it", "program")
        for n in given
        if ast.dump(n) not in known
    ]
    if not done and [ast.dump(n) for n in wanted] != [ast.dump(n) for n in given]:
        done.append(
            _finding(candidate, "definitions in another order", "as in the task", "program")
        )
    return done


def _programs(task: ast.Module, candidate: ast.Module) -> list[Finding]:
    """The erased functions are equal, tree by tree."""
    wanted, given = _functions(erased(task)), _functions(erased(candidate))
    originals = _functions(candidate)
    clash = sorted((lemma_names(candidate) - lemma_names(task)) & set(_functions(task)))
    done = [
        _finding(originals[n], f"{n} became a lemma", "keep it as it is", "program") for n in clash
    ]
    for name, node in given.items():
        if name not in wanted:
            done.append(
                _finding(
                    originals[name],
                    f"{name} is no function of the task",
                    "add lemmas and specification functions only",
                    "program",
                )
            )
        elif ast.dump(node) != ast.dump(wanted[name]):
            place = _difference(wanted[name], node)
            done.append(
                Finding(
                    place or place_of(originals[name]),
                    f"without its annotations, {name} is not the task's program",
                    "change annotations only",
                    "program",
                )
            )
    return done


def _difference(one: ast.AST, two: ast.AST) -> Place | None:
    """Where the second tree first differs, as far as it says."""
    pairs = [(one, two)]
    while pairs:
        a, b = pairs.pop(0)
        below_a, below_b = list(ast.iter_child_nodes(a)), list(ast.iter_child_nodes(b))
        if type(a) is not type(b) or len(below_a) != len(below_b):
            return place_of(b) if hasattr(b, "lineno") else None
        if not below_a and ast.dump(a) != ast.dump(b):
            return place_of(b) if hasattr(b, "lineno") else None
        pairs.extend(zip(below_a, below_b, strict=True))
    return None


def judge(
    task_source: bytes,
    candidate_source: bytes,
    filename: str,
    *,
    asked: Asked = "annotations",
    limits: Limits | None = None,
    cache: Cache | None = None,
    imports: Imports | None = None,
    pool: Pool | None = None,
    enough: int = _ENOUGH,
) -> GateReport:
    """The whole gate.

    `enough` runs that end well are asked of each function of the task.

    Raises:
        InfrastructureError: the solver is missing, died or reported an error.
    """
    limits = limits or Limits()
    findings = compare_program(task_source, candidate_source, asked=asked, limits=limits)
    if findings:
        return GateReport(findings, ModuleReport(filename), {})
    own = pool is None
    workers = pool or Pool(limits.workers, limits.memory_mib, limits.seconds)
    try:
        report = verify_source(
            candidate_source, filename, limits=limits, cache=cache, imports=imports, pool=workers
        )
        if report.findings:
            return GateReport(report.findings, report, {})
        names = _task_functions(task_source, limits)
        return _with_runs(
            candidate_source, filename, report, names, limits, imports, workers, enough
        )
    finally:
        if own:
            workers.close()


def _task_functions(task_source: bytes, limits: Limits) -> list[str]:
    functions = _functions(read(task_source, limits))
    return [name for name, node in functions.items() if role_of(node) == "code"]


def _with_runs(
    source: bytes,
    filename: str,
    report: ModuleReport,
    names: Sequence[str],
    limits: Limits,
    imports: Imports | None,
    pool: Pool,
    enough: int,
) -> GateReport:
    """The report with what running the task's functions showed."""
    run = Verification(source, filename, limits, imports)
    runs: dict[str, int] = {}
    why = ""
    partial = [r.name for r in report.functions if r.partial]
    for name in names:
        function = run.module.functions.get(name)
        if function is None:
            continue
        tried = examples(run, name, pool, limits, enough)
        runs[name] = tried.ended
        if tried.failure is not None:
            return GateReport((), report, runs, tried.failure)
        if tried.accepted == 0:
            why = why or f"no input was found that satisfies the precondition of {name}"
        elif tried.ended == 0:
            why = why or f"no run of {name} was seen to end"
    if partial and not why:
        why = f"termination is not proved: {', '.join(partial)}"
    return GateReport((), report, runs, None, why)


def examples(run: Verification, name: str, pool: Pool, limits: Limits, enough: int) -> Tried:
    """Runs of a function on inputs that satisfy its precondition, contracts checked.

    Random inputs first; where almost none is accepted, the solver's.
    """
    function = run.module.functions[name]
    inputs = drawn(run.module, function, limits.examples * 4)
    tried = attempt(
        run.module, function, inputs, limits, run.text, annotations=False, enough=enough
    )
    if tried.failure is not None or tried.ended >= min(enough, 5):
        return tried
    made = run.claims(function)
    if made.start is None:
        return tried
    suggested = models.satisfying(made.start, pool, limits)
    more = attempt(
        run.module, function, suggested, limits, run.text, annotations=False, enough=enough
    )
    return Tried(
        more.failure,
        tried.accepted + more.accepted,
        tried.ended + more.ended,
        tried.drawn + more.drawn,
    )

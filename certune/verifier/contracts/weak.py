"""Weak contracts: what a contract allows that its author hardly meant.

A precondition that nothing satisfies, a postcondition that a trivial body satisfies, and the
mutation score: of the changes of the body that change what some run does, how many does the
contract notice? All are warnings about a task, never grounds to refuse a candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from certune.core.proof import Answer
from certune.core.status import Status
from certune.verifier.contracts import models, tree
from certune.verifier.contracts import terms as t
from certune.verifier.contracts.data import to_json
from certune.verifier.contracts.discharge import Task, discharge
from certune.verifier.contracts.interpret import Interpreter
from certune.verifier.contracts.module import Imports
from certune.verifier.contracts.mutate import mutants
from certune.verifier.contracts.pool import Pool
from certune.verifier.contracts.refute import copied_all, drawn, outcome
from certune.verifier.contracts.report import Limits, Place
from certune.verifier.contracts.source import Refused
from certune.verifier.contracts.state import Claim
from certune.verifier.contracts.stops import Broken, Stuck
from certune.verifier.contracts.types import NONE, BoolT, NoneT, OptionT, is_integer
from certune.verifier.contracts.verify import Made, Verification

_INPUTS = 60
_MUTANTS = 60
_FEW = 5
_STEPS = 4_000


@dataclass(frozen=True)
class Weakness:
    """What is weak about one function's contract.

    `noticed` of `changed` mutants break the contract on some input; `unnoticed` describes the
    others (function, line, what was changed).
    """

    function: str
    warnings: tuple[str, ...]
    noticed: int
    changed: int
    unnoticed: tuple[str, ...]

    @property
    def score(self) -> float | None:
        """The mutation score, from 0 to 1; None where no mutant changed anything."""
        return self.noticed / self.changed if self.changed else None


def weaknesses(
    source: bytes,
    filename: str,
    name: str,
    pool: Pool,
    *,
    limits: Limits | None = None,
    imports: Imports | None = None,
) -> Weakness:
    """What is weak about the contract of the function `name`, which must be readable.

    Raises:
        KeyError: there is no such function, or it is not of the language.
        InfrastructureError: the solver is missing or died.
    """
    limits = limits or Limits()
    run = Verification(source, filename, limits, imports)
    function = run.module.functions[name]
    made = run.claims(function)
    warnings = []
    if _unsatisfiable(made, pool, limits):
        warnings.append("nothing satisfies the precondition")
    if not function.ensures:
        warnings.append("there is no postcondition: the proof says that it ends and is safe")
    else:
        body = _trivial(run, function, pool, limits)
        if body:
            warnings.append(f"a trivial body satisfies the postcondition: {body}")
    noticed, unnoticed = _mutation(source, filename, function, run, pool, limits, imports)
    return Weakness(name, tuple(warnings), noticed, noticed + len(unnoticed), tuple(unnoticed))


def _unsatisfiable(made: Made, pool: Pool, limits: Limits) -> bool:
    if made.start is None:
        return False
    facts = tuple(made.start.known())
    claim = Claim("", "precondition", Place(1, 1), (), "", facts, t.FALSE)
    definitions = made.tasks[0].definitions if made.tasks else {}
    (condition,) = discharge([Task(claim, definitions, "int")], pool, limits)
    answer: Answer | None = condition.answer
    return answer is not None and answer.result == "unsat"


def _bodies(function: tree.Function) -> Iterator[tuple[str, tree.Expr | None]]:
    """Bodies that nobody would write for their own sake."""
    at, kind = function.at, function.result
    if isinstance(kind, NoneT):
        yield "pass", None
        return
    if isinstance(kind, OptionT):
        yield "return None", tree.Lit(kind, at, None)
    if isinstance(kind, BoolT):
        yield "return False", tree.Lit(kind, at, False)
        yield "return True", tree.Lit(kind, at, True)
    if is_integer(kind):
        yield "return 0", tree.Lit(kind, at, 0)
        yield "return 1", tree.Lit(kind, at, 1)
    for p in function.parameters:
        if p.type == kind and (is_integer(kind) or isinstance(kind, BoolT)):
            yield f"return {p.name}", tree.Var(kind, at, p.name)


def _trivial(run: Verification, function: tree.Function, pool: Pool, limits: Limits) -> str:
    """The first trivial body that is proved; not where the function's own body is that."""
    few = replace(limits, attempts=min(limits.attempts, 2))
    for shown, value in _bodies(function):
        body: tuple[tree.Stmt, ...] = (tree.Return(function.at, value),)
        if function.result == NONE:
            body = ()
        if len(function.body) <= 1 and not function.locals and _same(function.body, body):
            continue
        other = replace(function, body=body, measures=())
        made = run.claims(other)
        if made.finding is not None or made.why:
            continue
        conditions = discharge(made.tasks, pool, few)
        if all(c.status is Status.PROVED for c in conditions):
            return shown
    return ""


def _same(one: Sequence[tree.Stmt], two: Sequence[tree.Stmt]) -> bool:
    def shape(body: Sequence[tree.Stmt]) -> list[str]:
        return [type(s).__name__ for s in body]

    if shape(one) != shape(two):
        return False
    for a, b in zip(one, two, strict=True):
        if isinstance(a, tree.Return) and isinstance(b, tree.Return):
            x, y = a.value, b.value
            if isinstance(x, tree.Lit) and isinstance(y, tree.Lit) and x.value == y.value:
                continue
            if isinstance(x, tree.Var) and isinstance(y, tree.Var) and x.name == y.name:
                continue
            return False
    return True


def _mutation(
    source: bytes,
    filename: str,
    function: tree.Function,
    run: Verification,
    pool: Pool,
    limits: Limits,
    imports: Imports | None,
) -> tuple[int, list[str]]:
    """How many mutants the contract notices, and those that it does not."""
    few = replace(limits, steps=_STEPS)
    inputs = _inputs(run, function, pool, limits)
    before = [_behaviour(run.module, function, a) for a in inputs]
    noticed = 0
    unnoticed: list[str] = []
    for label, text in list(mutants(source.decode(), only=function.name))[:_MUTANTS]:
        try:
            other = Verification(text.encode(), filename, limits, imports)
        except Refused:
            continue
        changed = other.module.functions.get(function.name)
        if changed is None:
            continue
        after = [_behaviour(other.module, changed, a) for a in inputs]
        differing = [a for a, x, y in zip(inputs, before, after, strict=True) if x != y]
        if not differing:
            continue
        ends = [outcome(other.module, changed, a, few, annotations=False) for a in differing]
        if any(e is not None for e in ends):
            noticed += 1
        else:
            unnoticed.append(label)
    return noticed, unnoticed


def _inputs(
    run: Verification, function: tree.Function, pool: Pool, limits: Limits
) -> list[dict[str, Any]]:
    """Arguments that satisfy the precondition: drawn, or the solver's where few are accepted."""
    given = drawn(run.module, function, _INPUTS * 8)
    inputs = [a for a in given if _accepted(run.module, function, a)][:_INPUTS]
    start = run.claims(function).start
    if len(inputs) < _FEW and start is not None:
        suggested = models.satisfying(start, pool, limits)
        inputs += [a for a in suggested if _accepted(run.module, function, a)]
    return inputs


def _accepted(module: tree.Module, function: tree.Function, arguments: dict[str, Any]) -> bool:
    try:
        return Interpreter(module, steps=_STEPS).accepts(function, copied_all(arguments))
    except (Stuck, RecursionError):
        return False


def _behaviour(module: tree.Module, function: tree.Function, arguments: dict[str, Any]) -> str:
    """What a run does: its result and what it leaves, or how it ends otherwise."""
    given = copied_all(arguments)
    interpreter = Interpreter(module, steps=_STEPS, annotations=False, contracts=False)
    try:
        result = interpreter.run(function, given)
    except Broken as broken:
        return broken.kind
    except (Stuck, RecursionError):
        return "stuck"
    left = {name: to_json(value) for name, value in given.items()}
    return repr((to_json(result), left))

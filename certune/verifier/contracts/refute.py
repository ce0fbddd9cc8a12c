"""Counterexamples: inputs on which running the function breaks something, made small."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from certune.verifier.contracts import tree
from certune.verifier.contracts.data import copied, to_json
from certune.verifier.contracts.generate import Generator, literals, smaller
from certune.verifier.contracts.interpret import Interpreter
from certune.verifier.contracts.report import Failure, Limits
from certune.verifier.contracts.stops import Broken, Stuck

_SHRINKS = 300
_FULL_RUNS = 50  # runs to the limit of steps that are paid for in one search
Words = Callable[[Any], str]


@dataclass(frozen=True)
class Tried:
    """What trying inputs found: a failure, how many were accepted and ended, how many drawn."""

    failure: Failure | None
    accepted: int
    ended: int
    drawn: int


def outcome(
    module: tree.Module,
    function: tree.Function,
    arguments: dict[str, Any],
    limits: Limits,
    *,
    annotations: bool,
    spent: list[int] | None = None,
) -> Broken | Stuck | None | Literal["rejected"]:
    """How a run on these arguments ends; "rejected" if the precondition does not hold.

    The steps taken are added to `spent`.
    """
    interpreter = Interpreter(module, steps=limits.steps, annotations=annotations)
    try:
        if not interpreter.accepts(function, copied_all(arguments)):
            return "rejected"
        interpreter.run(function, copied_all(arguments))
    except Broken as broken:
        return broken
    except Stuck as stuck:
        return stuck
    except RecursionError:
        return Stuck("too deep")
    finally:
        if spent is not None:
            spent[0] += limits.steps - interpreter.left
    return None


def copied_all(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments that a run may change."""
    return {name: copied(value) for name, value in arguments.items()}


def drawn(module: tree.Module, function: tree.Function, count: int) -> Iterator[dict[str, Any]]:
    """Arguments drawn at random, always the same ones for the same function."""
    related = [module.functions[n] for n in function.calls if n in module.functions]
    generator = Generator(function.name, literals([function, *related]))
    for _ in range(count):
        yield generator.arguments(function)


def attempt(
    module: tree.Module,
    function: tree.Function,
    inputs: Iterable[dict[str, Any]],
    limits: Limits,
    text: Words,
    *,
    annotations: bool,
    enough: int | None = None,
) -> Tried:
    """Run the function on inputs until one breaks something, or `enough` ended well."""
    accepted = ended = count = 0
    spent = [0]
    for arguments in inputs:
        if spent[0] > limits.steps * _FULL_RUNS:
            break
        count += 1
        result = outcome(module, function, arguments, limits, annotations=annotations, spent=spent)
        if result == "rejected":
            continue
        accepted += 1
        if isinstance(result, Broken) and (annotations or result.blames == "program"):
            arguments = shrunk(module, function, arguments, result, limits, annotations)
            failure = described(module, function, arguments, limits, text, annotations)
            return Tried(failure, accepted, ended, count)
        if result is None:
            ended += 1
            if enough is not None and ended >= enough:
                break
    return Tried(None, accepted, ended, count)


def shrunk(
    module: tree.Module,
    function: tree.Function,
    arguments: dict[str, Any],
    broken: Broken,
    limits: Limits,
    annotations: bool,
) -> dict[str, Any]:
    """Simpler arguments that break the same thing."""
    left = _SHRINKS
    found = True
    while found and left > 0:
        found = False
        for less in smaller(arguments):
            left -= 1
            if left < 0:
                break
            result = outcome(module, function, less, limits, annotations=annotations)
            if (
                isinstance(result, Broken)
                and result.kind == broken.kind
                and result.blames == broken.blames
            ):
                arguments, found = less, True
                break
    return arguments


def described(
    module: tree.Module,
    function: tree.Function,
    arguments: dict[str, Any],
    limits: Limits,
    text: Words,
    annotations: bool,
) -> Failure:
    """The failure that these arguments lead to, with the last steps to it."""
    interpreter = Interpreter(module, steps=limits.steps, annotations=annotations)
    interpreter.tracing = True
    inputs = {name: to_json(value) for name, value in arguments.items()}
    try:
        interpreter.run(function, copied_all(arguments))
    except Broken as broken:
        return Failure(
            function=function.name,
            inputs=inputs,
            kind=broken.kind,
            place=broken.at,
            claim=text(broken.at),
            blames=broken.blames,
            steps=tuple(interpreter.trace),
        )
    raise AssertionError("a run that broke something does not break it again")

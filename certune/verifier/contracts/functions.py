"""One function: its contract and its body."""

from __future__ import annotations

import ast

from certune.verifier.contracts.decorators import contract_condition, read_decorators, snapshot
from certune.verifier.contracts.loops import read_annotations
from certune.verifier.contracts.scope import Names, Scope, Signature
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.statements import Body
from certune.verifier.contracts.tree import Assign, Function, If, Parameter, Return, Stmt
from certune.verifier.contracts.types import NoneT, Type, is_mutable


def read_function(
    node: ast.FunctionDef, signature: Signature, names: Names, lemmas: frozenset[str]
) -> Function:
    """The typed function.

    Raises:
        Refused: the contract or the body is not of the language.
    """
    found = read_decorators(node, names)
    parameters = dict(signature.parameters)
    spec = signature.role != "code"
    scope = Scope(
        names,
        "spec" if spec else "code",
        dict(parameters),
        set(parameters),
        old=_old(node, parameters),
        annotation=spec,
    )
    requires = tuple(
        contract_condition(n, w, names, parameters, None, {}, scope) for n, w in found.requires
    )
    olds = {n: snapshot(lam, names, parameters, scope) for n, lam in found.snapshots}
    ensures = tuple(
        contract_condition(n, w, names, parameters, signature.result, olds, scope)
        for n, w in found.ensures
    )
    if signature.role == "spec" and any("old" in ast.dump(n) for n, _ in found.ensures):
        raise refuse(signature.at, "old in a specification function", "it changes nothing", "old")
    _, measures, rest = read_annotations(node.body, scope, loop=False)
    body = Body(scope, signature, lemmas)
    body.signature_partial = found.partial
    statements = body.block(rest)
    if scope.assigned is not None and not isinstance(signature.result, NoneT):
        raise refuse(signature.at, "a path without return", f"return a {signature.result}", "type")
    if signature.role == "spec":
        _check_pure(statements)
    return Function(
        name=signature.name,
        at=signature.at,
        role=signature.role,
        parameters=tuple(
            Parameter(n, t, signature.modifies.get(n)) for n, t in signature.parameters
        ),
        result=signature.result,
        requires=requires,
        ensures=ensures,
        measures=tuple(measures),
        body=statements,
        locals=tuple((n, t) for n, t in scope.variables.items() if n not in parameters),
        partial=found.partial,
        calls=tuple(sorted(scope.calls)),
        bits=scope.bits[0],
    )


def _old(node: ast.FunctionDef, parameters: dict[str, Type]) -> dict[str, Type]:
    """The parameters whose value at entry a body may name: those that are never assigned."""
    assigned = {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    return {name: kind for name, kind in parameters.items() if name not in assigned}


def _check_pure(statements: tuple[Stmt, ...]) -> None:
    for statement in statements:
        if isinstance(statement, If) and not statement.ghost:
            _check_pure(statement.body)
            _check_pure(statement.orelse)
        elif isinstance(statement, Assign):
            if any(t.steps or is_mutable(t.type) for t in statement.targets) or statement.ghost:
                raise refuse(
                    statement.at, "this assignment in a specification function", "x = e", "spec"
                )
        elif not isinstance(statement, Return):
            raise refuse(
                statement.at,
                f"{type(statement).__name__.lower()} in a specification function",
                "if, return and x = e; recursion for repetition",
                "spec",
            )

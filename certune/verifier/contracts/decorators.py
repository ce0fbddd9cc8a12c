"""Decorators: certune's own, icontract's and deal's; anything else is refused."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Literal

from certune.verifier.contracts.expressions import condition, expression
from certune.verifier.contracts.report import Place
from certune.verifier.contracts.scope import Names, Scope
from certune.verifier.contracts.source import place_of, refuse
from certune.verifier.contracts.tree import Expr
from certune.verifier.contracts.types import NoneT, RecordT, Type, is_mutable

Word = Literal["require", "ensure", "modifies", "spec", "lemma", "partial", "snapshot", "pure"]
_DEAL: dict[str, Word] = {"pre": "require", "post": "ensure", "ensure": "ensure", "pure": "pure"}
_ICONTRACT: dict[str, Word] = {
    "require": "require",
    "ensure": "ensure",
    "snapshot": "snapshot",
}
_OWN = ("require", "ensure", "modifies", "spec", "lemma", "partial")
_KNOWN = "known: require, ensure, modifies, spec, lemma, partial, icontract's and deal's"


@dataclass
class Decorators:
    """The decorators of one function, sorted by what they say."""

    role: Literal["code", "spec", "lemma"] = "code"
    partial: bool = False
    requires: list[tuple[ast.Lambda, str]] = field(default_factory=list)
    ensures: list[tuple[ast.Lambda, str]] = field(default_factory=list)
    snapshots: list[tuple[str, ast.Lambda]] = field(default_factory=list)
    modifies: list[tuple[str, ast.AST]] = field(default_factory=list)


def decorator_word(node: ast.expr, names: Names) -> tuple[Word, str] | None:
    """What a decorator means, and whose it is; None if it is not known."""
    func = node.func if isinstance(node, ast.Call) else node
    if isinstance(func, ast.Name):
        if func.id in _OWN and func.id in names.library:
            return func.id, "certune"  # type: ignore[return-value]
        if func.id in names.decorators:
            return _ICONTRACT[names.decorators[func.id]], "icontract"
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
        module = func.value.id
        if module in names.modules:
            table = _DEAL if module == "deal" else _ICONTRACT
            if func.attr in table:
                return table[func.attr], module if func.attr != "post" else "deal.post"
    return None


def read_decorators(node: ast.FunctionDef, names: Names) -> Decorators:
    """The decorators of `node`.

    Raises:
        Refused: one is unknown or wrongly used.
    """
    found = Decorators()
    for decorator in node.decorator_list:
        at = place_of(decorator, names.file)
        known = decorator_word(decorator, names)
        if known is None:
            raise refuse(at, "an unknown decorator", _KNOWN, "decorator")
        word, whose = known
        if word in ("spec", "lemma"):
            if found.role != "code":
                raise refuse(at, "a second role", "spec or lemma, once", "decorator")
            found.role = "spec" if word == "spec" else "lemma"
        elif word == "partial":
            found.partial = True
        if word in ("spec", "lemma", "partial", "pure"):
            if isinstance(decorator, ast.Call):
                raise refuse(at, f"@{word}(…)", f"write @{word}", "decorator")
            continue
        if not isinstance(decorator, ast.Call):
            raise refuse(at, f"@{word} without arguments", "give a lambda", "decorator")
        _argument(found, word, whose, decorator, names)
    if found.partial and found.role != "code":
        raise refuse(
            place_of(node, names.file),
            "a proof or specification that need not end proves nothing",
            "remove @partial",
            "partial",
        )
    return found


def _argument(found: Decorators, word: Word, whose: str, node: ast.Call, names: Names) -> None:
    at = place_of(node, names.file)
    if word == "modifies":
        for part in node.args:
            if not (isinstance(part, ast.Constant) and isinstance(part.value, str)):
                raise refuse(at, "modifies takes names", 'write @modifies("xs")', "decorator")
            found.modifies.append((part.value, part))
        if node.keywords or not node.args:
            raise refuse(at, "this modifies", 'write @modifies("xs")', "decorator")
        return
    keywords = {k.arg: k.value for k in node.keywords}
    condition_node = node.args[0] if node.args else keywords.pop("condition", None)
    if not isinstance(condition_node, ast.Lambda) or len(node.args) > 2:
        raise refuse(at, f"{word} takes a lambda", f"@{word}(lambda x: x > 0)", "decorator")
    words = [*node.args[1:], *(v for k, v in keywords.items() if k in ("description", "message"))]
    allowed = {"description", "message"} if whose != "certune" else set()
    name = ""
    if word == "snapshot" and isinstance(keywords.get("name"), ast.Constant):
        given = keywords["name"]
        assert isinstance(given, ast.Constant)
        name = str(given.value)
        allowed = {"name"}
    if set(keywords) - allowed or (words and whose == "certune"):
        raise refuse(at, "another argument", "a condition, and a description", "decorator")
    for said in words:
        if not (isinstance(said, ast.Constant) and isinstance(said.value, str)):
            raise refuse(at, "a computed description", "a literal string", "decorator")
    if word == "snapshot":
        arguments = condition_node.args.args
        if not name and len(arguments) == 1:
            name = arguments[0].arg
        found.snapshots.append((name, condition_node))
    elif word == "require":
        found.requires.append((condition_node, whose))
    else:
        found.ensures.append((condition_node, whose))


def contract_condition(
    node: ast.Lambda,
    whose: str,
    names: Names,
    parameters: dict[str, Type],
    result: Type | None,
    olds: dict[str, Expr],
    shared: Scope,
) -> Expr:
    """The condition that a contract's lambda states; `result` where it may be named."""
    scope = lambda_scope(node, whose, names, parameters, result, shared)
    if result is not None:
        scope.old = parameters
        scope.olds = olds
    return condition(node.body, scope)


def snapshot(node: ast.Lambda, names: Names, parameters: dict[str, Type], shared: Scope) -> Expr:
    """What icontract's snapshot keeps: an expression of the parameters at entry."""
    scope = lambda_scope(node, "icontract", names, parameters, None, shared)
    scope.entry = True
    return expression(node.body, scope)


def lambda_scope(
    node: ast.Lambda,
    whose: str,
    names: Names,
    parameters: dict[str, Type],
    result: Type | None,
    shared: Scope,
) -> Scope:
    """The scope of a contract's lambda: its parameters, by name among the function's."""
    at = place_of(node, names.file)
    a = node.args
    if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg or a.defaults or a.kw_defaults:
        raise refuse(at, "this lambda", "plain parameters, by the function's names", "decorator")
    known = dict(parameters)
    if result is not None and not isinstance(result, NoneT):
        known["result"] = result
    visible: dict[str, Type] = {}
    given = [p.arg for p in a.args]
    record = ""
    if whose == "deal.post":
        if len(given) != 1 or "result" not in known:
            raise refuse(at, "deal.post takes one parameter", "lambda result: …", "decorator")
        if given[0] != "result":
            raise refuse(at, "the result under another name", "call it result", "decorator")
    if whose == "deal" and given == ["_"]:
        record, visible = "_", known
    else:
        for name in given:
            if name == "OLD" and whose == "icontract" and result is not None:
                continue
            if name not in known:
                raise refuse(
                    at,
                    f"{name[:40]!r} is no parameter of the function",
                    f"known: {', '.join(known)}",
                    "decorator",
                )
            visible[name] = known[name]
    return Scope(
        names,
        "spec",
        visible,
        set(visible),
        record=record,
        calls=shared.calls,
        counter=shared.counter,
        bits=shared.bits,
        spent=shared.spent,
        annotation=True,
    )


def read_modifies(
    found: Decorators, parameters: dict[str, Type], names: Names
) -> dict[str, tuple[str, ...]]:
    """Which parameters may change: () is all of it, else these fields."""
    done: dict[str, tuple[str, ...]] = {}
    for path, node in found.modifies:
        at: Place = place_of(node, names.file)
        root, _, part = path.partition(".")
        kind = parameters.get(root)
        if kind is None or not is_mutable(kind):
            raise refuse(
                at, f"{root[:40]!r} is no mutable parameter", "lists, dicts, sets, records"
            )
        if part and (not isinstance(kind, RecordT) or kind.field(part) is None):
            raise refuse(at, f"{path[:60]!r} is no field", "name a field of the record")
        if root in done and (not part or not done[root]):
            raise refuse(at, f"{root!r} is named twice", "once is enough")
        done[root] = (*done.get(root, ()), part) if part else ()
    return done

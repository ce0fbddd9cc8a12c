"""Erasure: the program without its contracts, annotations, ghosts and lemmas.

`program` is what the gate compares, tree by tree; `strip` is the plain function that a user
ships. Both work on Python's tree alone and execute nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from certune.verifier.contracts.ghosts import is_docstring, is_ghost
from certune.verifier.contracts.report import Limits
from certune.verifier.contracts.source import read

_LIBRARIES = frozenset({"certune.contracts", "icontract", "deal"})
_WORDS = frozenset({"require", "ensure", "modifies", "spec", "lemma", "partial", "snapshot"})


def role_of(node: ast.FunctionDef) -> str:
    """``spec``, ``lemma`` or ``code``, by the decorators."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Name) and decorator.id in ("spec", "lemma"):
            return decorator.id
    return "code"


def lemma_names(tree: ast.Module) -> frozenset[str]:
    """The lemmas that a file defines."""
    return frozenset(
        n.name for n in tree.body if isinstance(n, ast.FunctionDef) and role_of(n) == "lemma"
    )


def erased(
    tree: ast.Module, *, lemmas: Collection[str] = (), docstrings: bool = False
) -> ast.Module:
    """The tree without what is there for proofs; `lemmas` are imported ones."""
    known = lemma_names(tree) | frozenset(lemmas)
    functions = {
        n.name: _function(n, known, docstrings) for n in tree.body if isinstance(n, ast.FunctionDef)
    }
    roles = {n.name: role_of(n) for n in tree.body if isinstance(n, ast.FunctionDef)}
    kept = _used(functions, roles)
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            if node.name in kept:
                body.append(functions[node.name])
        elif _is_library_import(node) or (is_docstring(node) and not docstrings):
            continue
        elif isinstance(node, ast.ClassDef) and not docstrings:
            body.append(_without_docstring(node))
        else:
            body.append(node)
    return ast.Module(body, [])


def _used(functions: dict[str, ast.FunctionDef], roles: dict[str, str]) -> set[str]:
    """Code, and the specification functions that code calls."""
    kept = {name for name, role in roles.items() if role == "code"}
    todo = list(kept)
    while todo:
        for node in ast.walk(functions[todo.pop()]):
            name = node.id if isinstance(node, ast.Name) else ""
            if roles.get(name) == "spec" and name not in kept:
                kept.add(name)
                todo.append(name)
    return kept


def _is_library_import(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module in _LIBRARIES
    return isinstance(node, ast.Import) and all(a.name in _LIBRARIES for a in node.names)


def _without_docstring(node: ast.ClassDef) -> ast.ClassDef:
    body = [s for s in node.body if not is_docstring(s)]
    return ast.ClassDef(node.name, node.bases, node.keywords, body, node.decorator_list)


def _function(node: ast.FunctionDef, lemmas: Collection[str], docstrings: bool) -> ast.FunctionDef:
    first = node.body[:1] if docstrings and is_docstring(node.body[0]) else []
    return ast.FunctionDef(
        name=node.name,
        args=node.args,
        body=[*first, *_block(node.body, lemmas)] or [ast.Pass()],
        decorator_list=[],
        returns=node.returns,
        type_comment=None,
    )


def _block(body: Sequence[ast.stmt], lemmas: Collection[str]) -> list[ast.stmt]:
    done: list[ast.stmt] = []
    for node in body:
        if is_ghost(node, lemmas):
            continue
        if isinstance(node, ast.If):
            inner = _block(node.body, lemmas) or [ast.Pass()]
            done.append(ast.If(node.test, inner, _block(node.orelse, lemmas)))
        elif isinstance(node, ast.While):
            inner = _block(node.body, lemmas) or [ast.Pass()]
            done.append(ast.While(node.test, inner, _block(node.orelse, lemmas)))
        elif isinstance(node, ast.For):
            inner = _block(node.body, lemmas) or [ast.Pass()]
            done.append(ast.For(node.target, node.iter, inner, _block(node.orelse, lemmas), None))
        else:
            done.append(node)
    return done


def program(source: bytes, *, limits: Limits | None = None, lemmas: Collection[str] = ()) -> str:
    """The erased program in a form that is equal for equal trees.

    Raises:
        Refused: the source does not parse within the limits.
    """
    return ast.dump(erased(read(source, limits or Limits()), lemmas=lemmas))


def erase(source: bytes, *, limits: Limits | None = None, lemmas: Collection[str] = ()) -> str:
    """The program that is left, as source text (comments are gone)."""
    tree = erased(read(source, limits or Limits()), lemmas=lemmas)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"

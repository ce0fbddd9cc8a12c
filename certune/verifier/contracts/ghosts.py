"""Which statements are annotations: decided on Python's tree alone, so that erasure agrees."""

from __future__ import annotations

import ast
from collections.abc import Collection

ANNOTATIONS = frozenset({"invariant", "decreases"})


def called_name(node: ast.stmt | ast.expr | None) -> str:
    """The name that an expression statement or expression calls; empty if it is no such call."""
    if isinstance(node, ast.Expr):
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return ""


def is_docstring(node: ast.stmt) -> bool:
    """Whether it is a string by itself."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def is_ghost_assignment(node: ast.stmt) -> bool:
    """Whether it is ``g = ghost(e)``."""
    return isinstance(node, ast.Assign | ast.AnnAssign) and called_name(node.value) == "ghost"


def is_ghost(node: ast.stmt, lemmas: Collection[str]) -> bool:
    """Whether the statement is an annotation and nothing else.

    An `if` or a loop is one when all within it is; the verifier then reads its condition as an
    annotation, which calls specification functions only.
    """
    if isinstance(node, ast.Pass | ast.Assert) or is_docstring(node) or is_ghost_assignment(node):
        return True
    if isinstance(node, ast.Expr):
        name = called_name(node)
        return name in ANNOTATIONS or name in lemmas
    if isinstance(node, ast.If | ast.For | ast.While):
        return all(is_ghost(n, lemmas) for n in (*node.body, *node.orelse))
    return False

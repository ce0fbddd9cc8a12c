"""Small changes of programs: does a contract notice them, is no wrong one proved?"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitXor,
    ast.LShift: ast.RShift,
}
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
}
_ANNOTATIONS = ("invariant", "decreases", "ghost")


def _is_annotation(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    call = node.value if isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign) else None
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in _ANNOTATIONS
    )


def _places(function: ast.FunctionDef, annotations: bool) -> Iterator[ast.AST]:
    """The nodes of the body that may be changed; of annotations or of the program."""

    def walk(node: ast.AST, inside: bool) -> Iterator[ast.AST]:
        inside = inside or _is_annotation(node)
        if inside is annotations:
            yield node
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    for statement in function.body:
        yield from walk(statement, False)


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """(attribute, new value) pairs."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        operator = _OPERATORS.get(type(node.op))
        if operator is not None:
            yield "op", operator()
    if isinstance(node, ast.BinOp):
        yield "right", node.left
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        comparison = _COMPARISONS.get(type(node.ops[0]))
        if comparison is not None:
            yield "ops", [comparison()]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield "value", node.value + 1
        if node.value > 0:
            yield "value", node.value - 1
    if isinstance(node, ast.If | ast.While):
        yield "test", ast.UnaryOp(ast.Not(), node.test)
    if isinstance(node, ast.BoolOp):
        yield "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()
    if isinstance(node, ast.If | ast.While | ast.For):
        for k, statement in enumerate(node.body):
            if len(node.body) > 1 and not _is_annotation(statement):
                yield "body", node.body[:k] + node.body[k + 1 :]


def mutants(
    text: str, *, annotations: bool = False, only: str | None = None
) -> Iterator[tuple[str, str]]:
    """(description, changed source) for each single change in the body of a function of code.

    The changes are of the program, or of its `annotations`; of the function `only` if given.
    """
    tree = ast.parse(text)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    for position, function in enumerate(functions):
        roles = {d.id for d in function.decorator_list if isinstance(d, ast.Name)}
        if roles & {"spec", "lemma"} or only not in (None, function.name):
            continue
        count = len(list(_places(function, annotations)))
        for place in range(count):
            for number in range(len(list(_changes(_nth(function, place, annotations))))):
                changed = copy.deepcopy(tree)
                body = [n for n in changed.body if isinstance(n, ast.FunctionDef)]
                node = _nth(body[position], place, annotations)
                attribute, value = list(_changes(node))[number]
                setattr(node, attribute, value)
                label = f"{function.name}:{getattr(node, 'lineno', 0)} {attribute}"
                yield label, ast.unparse(ast.fix_missing_locations(changed))


def _nth(function: ast.FunctionDef, place: int, annotations: bool) -> ast.AST:
    return list(_places(function, annotations))[place]

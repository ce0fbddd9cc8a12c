"""``certune strip``: the plain function, without certune."""

from __future__ import annotations

import ast
from collections.abc import Collection

from certune.verifier.contracts.erase import erased
from certune.verifier.contracts.report import Limits
from certune.verifier.contracts.source import read
from certune.verifier.contracts.types import WORDS, WordT


def strip(source: bytes, *, limits: Limits | None = None, lemmas: Collection[str] = ()) -> str:
    """`source` without contracts and annotations, fixed-width types as `int`.

    Conversions disappear, since they were proved to fit; wrapping operations become masks.
    Docstrings stay, comments do not.

    Raises:
        Refused: the source does not parse within the limits.
    """
    tree = erased(read(source, limits or Limits()), lemmas=lemmas, docstrings=True)
    tree = ast.fix_missing_locations(_Plain().visit(tree))
    return ast.unparse(tree) + "\n"


class _Plain(ast.NodeTransformer):
    """Replaces what belongs to certune's library."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A fixed-width type in an annotation."""
        return ast.Name("int", node.ctx) if node.id in WORDS else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """``u32.MAX``."""
        if isinstance(node.value, ast.Name) and node.value.id in WORDS:
            word = WORDS[node.value.id]
            known = {"MAX": word.high, "MIN": word.low, "BITS": word.bits}
            if node.attr in known:
                return ast.Constant(known[node.attr])
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Conversions, wrapping operations, `implies`, `permutation`."""
        func = node.func
        args = [self.visit(a) for a in node.args]
        if isinstance(func, ast.Name):
            if func.id in WORDS and len(args) == 1:
                return args[0]  # type: ignore[no-any-return]
            if func.id == "implies" and len(args) == 2:
                return ast.BoolOp(ast.Or(), [ast.UnaryOp(ast.Not(), args[0]), args[1]])
            if func.id == "permutation" and len(args) == 2:
                left, right = (ast.Call(ast.Name("sorted", ast.Load()), [a], []) for a in args)
                return ast.Compare(left, [ast.Eq()], [right])
        if (
            isinstance(func, ast.Attribute)
            and isinstance(func.value, ast.Name)
            and func.value.id in WORDS
        ):
            return _wrapped(_operation(func.attr, args), WORDS[func.value.id])
        return self.generic_visit(node)  # type: ignore[return-value]


def _operation(name: str, args: list[ast.expr]) -> ast.expr:
    """The exact value that a wrapping operation reduces."""
    if name == "wrapping_neg":
        return ast.UnaryOp(ast.USub(), args[0])
    operators: dict[str, ast.operator] = {
        "wrapping_add": ast.Add(),
        "wrapping_sub": ast.Sub(),
        "wrapping_mul": ast.Mult(),
        "wrapping_shl": ast.LShift(),
    }
    return ast.BinOp(args[0], operators[name], args[1]) if name in operators else args[0]


def _wrapped(value: ast.expr, word: WordT) -> ast.expr:
    mask = ast.Constant((1 << word.bits) - 1)
    if not word.signed:
        return ast.BinOp(value, ast.BitAnd(), mask)
    low = ast.Constant(-word.low)
    raised = ast.BinOp(value, ast.Add(), low)
    return ast.BinOp(ast.BinOp(raised, ast.BitAnd(), mask), ast.Sub(), low)

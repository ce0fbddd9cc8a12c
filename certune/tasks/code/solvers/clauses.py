"""Candidate invariants from the contract and from the loop's exits, said of what is done so far."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import permutations, product
from typing import TypeGuard

from certune.tasks.code.solvers.scope import Loop, free_names, indices, span_text


class _Rewrite(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, names: dict[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.names.get(node.id, node)


def _rewritten(node: ast.expr, names: dict[str, str]) -> str:
    rewrite = _Rewrite({name: _parsed(text) for name, text in names.items()})
    return ast.unparse(rewrite.visit(_parsed(ast.unparse(node))))


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _is_call(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return called and node.func.id == name and bool(node.args)  # type: ignore[attr-defined]


def clauses(function: ast.FunctionDef, decorator: str) -> Iterator[ast.expr]:
    """The conjuncts of a function's `require` or `ensure` clauses."""
    for found in function.decorator_list:
        if (
            isinstance(found, ast.Call)
            and ast.unparse(found.func).rpartition(".")[2] == decorator
            and found.args
            and isinstance(found.args[0], ast.Lambda)
        ):
            yield from _conjuncts(found.args[0].body)


def _conjuncts(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for value in node.values:
            yield from _conjuncts(value)
    else:
        yield node


def _returned(function: ast.FunctionDef) -> list[ast.expr]:
    return [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value is not None
    ]


def of_contract(function: ast.FunctionDef, loop: Loop) -> Iterator[str]:
    """Clauses of the contract, said of the part that is done: with indices for lengths."""
    given = list(clauses(function, "require"))
    promised = list(clauses(function, "ensure"))
    for clause in given:
        if _names(clause) & loop.changed:
            yield from _shortened(ast.unparse(clause), loop)
            if _names(clause) <= set(loop.kinds):
                yield ast.unparse(clause)
    results = [ast.unparse(node) for node in _returned(function)]
    results += [n for n in loop.kinds if n in loop.changed]
    for clause in promised:
        names = _names(clause)
        texts: Iterable[str] = [ast.unparse(clause)]
        if "result" in names:
            texts = [_rewritten(clause, {"result": r}) for r in dict.fromkeys(results)]
        for text in texts:
            if _free(text) <= set(loop.kinds):
                yield text
            yield from _shortened(text, loop)
            yield from _parts(text, loop)


def _parts(text: str, loop: Loop) -> Iterator[str]:
    """The two sides of a disjunction or an equation of Booleans, on their own."""
    node = _parsed(text)
    if isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _shortened(ast.unparse(value), loop)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for side in (node.left, node.comparators[0]):
            if isinstance(side, ast.Call):
                yield from _shortened(ast.unparse(side), loop)
                yield from _shortened(_negated(side), loop)


def _negated(node: ast.expr) -> str:
    """``not any(p …)`` as ``all(not p …)``."""
    if _is_call(node, "any") and isinstance(node.args[0], ast.GeneratorExp):
        inner = node.args[0]
        spans = " ".join(
            f"for {ast.unparse(g.target)} in {ast.unparse(g.iter)}"
            + "".join(f" if {ast.unparse(i)}" for i in g.ifs)
            for g in inner.generators
        )
        return f"all(not ({ast.unparse(inner.elt)}) {spans})"
    return f"not ({ast.unparse(node)})"


def _shortened(text: str, loop: Loop) -> Iterator[str]:
    """`text` with an end of its ranges, or a list that is iterated, cut at an index."""
    node = _parsed(text)
    ends = set()
    listed = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.comprehension):
            called = inner.iter
            if isinstance(called, ast.Call) and ast.unparse(called.func) == "range":
                ends |= {ast.unparse(argument) for argument in called.args[-1:]}
            elif isinstance(called, ast.Name):
                listed.add(called.id)
        elif _is_call(inner, "sum") and isinstance(inner.args[0], ast.Name):
            listed.add(inner.args[0].id)
    ends = {e for e in ends if not e.isidentifier() or e in loop.kinds}
    for i in indices(loop):
        for stop in (i, f"{i} + 1"):
            for end in ends:
                if end != stop:
                    yield from _known(_cut(node, {end: stop}), loop)
            if len(ends) > 1:
                yield from _known(_cut(node, dict.fromkeys(ends, stop)), loop)
            for xs in listed:
                if loop.kinds.get(xs) in ("list", "bools"):
                    yield from _known(_sliced(node, xs, stop), loop)


class _Cut(ast.NodeTransformer):
    def __init__(self, ends: dict[str, str]) -> None:
        self.ends = ends

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        called = node.iter
        if isinstance(called, ast.Call) and ast.unparse(called.func) == "range":
            last = ast.unparse(called.args[-1])
            if last in self.ends:
                called.args[-1] = _parsed(self.ends[last])
        return node


def _cut(node: ast.expr, ends: dict[str, str]) -> str:
    copy = _parsed(ast.unparse(node))
    return ast.unparse(_Cut(ends).visit(copy))


class _Slice(ast.NodeTransformer):
    def __init__(self, xs: str, stop: str) -> None:
        self.xs = xs
        self.stop = stop

    def _part(self) -> ast.expr:
        return _parsed(f"{self.xs}[:{self.stop}]")

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.iter, ast.Name) and node.iter.id == self.xs:
            node.iter = self._part()
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) == "sum" and ast.unparse(node.args[0]) == self.xs:
            node.args[0] = self._part()
        return node


def _sliced(node: ast.expr, xs: str, stop: str) -> str:
    copy = _parsed(ast.unparse(node))
    return ast.unparse(_Slice(xs, stop).visit(copy))


def _known(text: str, loop: Loop) -> Iterator[str]:
    if _free(text) <= set(loop.kinds):
        yield text


_BUILTIN = frozenset({"all", "any", "sum", "len", "min", "max", "abs", "range", "enumerate"})
_BUILTIN |= {"old", "permutation", "implies", "True", "False", "int", "bool"}
_BUILTIN |= {f"{sign}{bits}" for sign in "ui" for bits in (8, 16, 32, 64)}


def _names(node: ast.AST) -> set[str]:
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    bound = {
        n.id
        for c in ast.walk(node)
        if isinstance(c, ast.comprehension)
        for n in ast.walk(c.target)
        if isinstance(n, ast.Name)
    }
    called = {
        n.func.id
        for n in ast.walk(node)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    return found - bound - called - _BUILTIN


def _free(text: str) -> set[str]:
    return _names(ast.parse(text, mode="eval"))


def of_exits(loop: Loop) -> Iterator[str]:
    """What has not made the loop return or break so far, said of every earlier index."""
    if loop.node is None:
        return
    for statement in loop.node.body:
        if not isinstance(statement, ast.If) or not statement.body:
            continue
        if not isinstance(statement.body[-1], ast.Return | ast.Break):
            continue
        test = statement.test
        for i in indices(loop):
            if i in _names(test) and i in loop.changed:
                low = loop.bounds[0] if loop.index == i else "0"
                k = free_names(loop)[0]
                said = _rewritten(test, {i: k})
                yield f"all(not ({said}) for {k} in {span_text(low, i)})"


def of_specifications(function: ast.FunctionDef, loop: Loop) -> Iterator[str]:
    """A specification function of the contract, said of what is left or of what is done.

    From ``f(x)`` in a postcondition, with variables that change in the place of arguments:
    ``f(rest) == f(x)``, ``done + f(rest) == f(x)``, ``done == f(i)``.
    """
    moving = [n for n in loop.of("int") if n in loop.changed]
    for clause in clauses(function, "ensure"):
        for call in ast.walk(clause):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            name = call.func.id
            if name in _BUILTIN or name in ("forall", "exists"):
                continue
            whole = ast.unparse(call)
            known = _free(whole) <= set(loop.parameters)
            arguments = [ast.unparse(a) for a in call.args]
            for place, v in product(range(len(arguments)), moving):
                for term in (v, f"{v} - 1"):
                    changed = [*arguments]
                    changed[place] = term
                    part = f"{name}({', '.join(changed)})"
                    if not _free(part) <= set(loop.kinds):
                        continue
                    for w in moving:
                        yield f"{w} == {part}"
                    for bound in (*loop.of("int"), "1"):
                        if bound not in moving and bound != term:
                            yield f"{part} < {bound}"
                            yield f"{part} >= {bound}"
                            yield f"{v} == 0 or {part} < {bound}"
                    if known:
                        yield f"{part} == {whole}"
                        for w in moving:
                            if w != v:
                                yield f"{w} + {part} == {whole}"
                                yield f"{w} * {part} == {whole}"
            for several in permutations(moving, len(arguments)):
                part = f"{name}({', '.join(several)})"
                if known:
                    yield f"{part} == {whole}"

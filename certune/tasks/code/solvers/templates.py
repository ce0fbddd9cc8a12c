"""Candidate invariants, drawn from the code and the contract.

Each is the text of a Boolean expression. They are guesses: traces throw out most, and only what
the verifier shows to be inductive is kept. The shapes are those that invariants of loops over
integers and arrays have in practice (Houdini, Flanagan and Leino 2001; Daikon, Ernst et al.
2007): comparisons of two terms, a property of a prefix or a suffix of a list, a clause of the
contract said of the part that is done.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice, permutations, product

from certune.tasks.code.solvers.clauses import of_contract, of_exits, of_specifications
from certune.tasks.code.solvers.scope import Loop, free_names, indices, span_text

MOST = 1_500


def candidates(function: ast.FunctionDef, loop: Loop) -> list[tuple[int, str]]:
    """Candidate invariants of `loop` with the number of the template that they come from.

    The likely and cheap templates come first; nothing is repeated.
    """
    seen: dict[str, int] = {}
    sources = (
        of_contract(function, loop),
        of_exits(loop),
        of_specifications(function, loop),
        _orders(loop),
        _lengths(loop),
        _unchanged(loop),
        _aggregates(loop),
        _sorted(loop),
        _elements(function, loop),
    )
    for origin, source in enumerate(sources):
        for text in islice(source, MOST):
            seen.setdefault(text, origin)
    return [(origin, text) for text, origin in seen.items()]


def weaker(text: str) -> Iterator[str]:
    """Other candidates that `text` implies, as far as its form tells."""
    compared = re.fullmatch(r"(\S+(?: [+-] 1)?) (==|<=|<) (\S+(?: [+-] 1)?)", text)
    if compared:
        a, sign, b = compared.groups()
        yield f"{a} <= {b}"
        yield f"{a} <= {b} + 1"
        yield f"{a} < {b} + 1"
        if sign == "==":
            yield f"{b} <= {a}"
            yield f"{b} <= {a} + 1"
            if b.endswith(" + 1"):
                yield f"{b[:-4]} < {a}"
                yield f"{b[:-4]} <= {a}"
                yield f"{a} <= {b[:-4]} + 1"
        return
    of_elements = re.fullmatch(r"all\((\w+\[\w+\]) (\S+) (\S+) for (\w+) in (.*)\)", text)
    if of_elements:
        element, sign, value, k, span = of_elements.groups()
        spans = [span]
        longer = re.fullmatch(r"range\((.*) \+ 1\)", span)
        if longer:
            spans.append(f"range({longer[1]})")
        for implied, part in product(_IMPLIED.get(sign, ()), spans):
            yield f"all({element} {implied} {value} for {k} in {part})"


_IMPLIED = {
    "==": ("==", "<=", ">="),
    "<": ("<", "<=", "!="),
    ">": (">", ">=", "!="),
    "<=": ("<=",),
    ">=": (">=",),
    "!=": ("!=",),
}


def _integers(loop: Loop) -> list[str]:
    return list(loop.of("int"))


def _lists(loop: Loop) -> list[str]:
    return list(loop.of("list", "bools", "lists"))


def _orders(loop: Loop) -> Iterator[str]:
    """Comparisons of integer terms of which one changes."""
    names = _integers(loop)
    terms = names + [f"len({xs})" for xs in _lists(loop)] + ["0", "1", "-1"]
    moving = loop.changed.union(f"len({xs})" for xs in _lists(loop) if xs in loop.changed)
    for a, b in permutations(terms, 2):
        if a in moving or b in moving:
            yield f"{a} <= {b}"
            if a < b:
                yield f"{a} == {b}"
            if b not in ("0", "1", "-1"):
                yield f"{a} < {b}"
                yield f"{a} <= {b} + 1"
                yield f"{a} == {b} + 1"
    for flag in loop.of("bool"):
        if flag in loop.changed:
            yield flag
            yield f"not {flag}"


def _lengths(loop: Loop) -> Iterator[str]:
    for xs in _lists(loop):
        if xs in loop.changed and xs in loop.parameters:
            yield f"len({xs}) == len(old({xs}))"
    for xs, ys in permutations(_lists(loop), 2):
        if xs in loop.changed or ys in loop.changed:
            yield f"len({xs}) == len({ys})"
    grown = [xs for xs in _lists(loop) if xs in loop.changed and xs not in loop.parameters]
    for xs, (a, b) in product(grown, permutations(_integers(loop), 2)):
        if a < b:
            yield f"len({xs}) == {a} + {b}"


def _ranges(loop: Loop, xs: str) -> Iterator[tuple[str, str]]:
    """Parts of a list: what lies before, after and between the loop's indices."""
    size = f"len({xs})"
    names = indices(loop)
    yield "0", size
    for v in names:
        yield "0", v
        yield "0", f"{v} + 1"
        yield v, size
        yield f"{v} + 1", size
    for u, v in permutations(names, 2):
        yield u, v
        yield u, f"{v} + 1"
        yield f"{u} + 1", v
        yield f"{u} + 1", f"{v} + 1"


def _unchanged(loop: Loop) -> Iterator[str]:
    """Parts of a changed list that are as they were, moved by one, or turned around."""
    for xs in loop.of("list", "bools", "lists"):
        if xs not in loop.changed or xs not in loop.parameters:
            continue
        yield f"{xs} == old({xs})"
        yield f"permutation({xs}, old({xs}))"
        for low, high in _ranges(loop, xs):
            span = span_text(low, high)
            k = free_names(loop)[0]
            yield f"all({xs}[{k}] == old({xs})[{k}] for {k} in {span})"
            yield f"all({xs}[{k}] == old({xs})[len({xs}) - 1 - {k}] for {k} in {span})"
            if low != "0":
                yield f"all({xs}[{k}] == old({xs})[{k} - 1] for {k} in {span})"


def _aggregates(loop: Loop) -> Iterator[str]:
    """A variable that is a sum or a count over the part that is done."""
    moving = [n for n in _integers(loop) if n in loop.changed]
    for v, xs in product(moving, loop.of("list")):
        if xs in loop.changed:
            yield f"{v} == sum({xs})"
            continue
        for i in moving:
            if i != v:
                yield f"{v} == sum({xs}[:{i}])"
        fixed = [n for n in _integers(loop) if n not in loop.changed]
        for i, key in product(moving, fixed):
            if i != v:
                yield f"{v} == {xs}[:{i}].count({key})"
    k = free_names(loop)[0]
    for v, xs, i in product(moving, loop.of("bools"), moving):
        if i != v and xs not in loop.changed:
            yield f"{v} == sum(1 for {k} in range({i}) if {xs}[{k}])"


def _sorted(loop: Loop) -> Iterator[str]:
    """Parts of a changed list that are in order, and parts that do not exceed others."""
    a, b = free_names(loop)
    for xs in loop.of("list"):
        pair = f"{xs}[{a}] <= {xs}[{b}]"
        if xs not in loop.changed:
            if loop.index:
                i = loop.index
                yield f"all({pair} for {a} in range({i}) for {b} in range({a}, {i}))"
            continue
        for low, high in _ranges(loop, xs):
            span = span_text(low, high)
            yield f"all({pair} for {a} in {span} for {b} in range({a}, {high}))"
            strict = f"{xs}[{a}] < {xs}[{b}]"
            yield f"all({strict} for {a} in {span} for {b} in range({a} + 1, {high}))"
        names = indices(loop)
        for v in names:
            for low in (v, f"{v} + 1"):
                for high in (f"len({xs})", *(f"{u} + 1" for u in names if u != v)):
                    yield f"all({pair} for {a} in range({v}) for {b} in range({low}, {high}))"


_OPERATORS = ("<", "<=", ">", ">=", "==", "!=")


def _elements(function: ast.FunctionDef, loop: Loop) -> Iterator[str]:
    """Every element of a part of a list compared with one value."""
    constants = _constants(function)
    k = free_names(loop)[0]
    for xs in loop.of("list"):
        values = [n for n in _integers(loop) if n not in indices(loop)]
        pivots = [f"{xs}[{i}]" for i in indices(loop)]
        for low, high in _ranges(loop, xs):
            span = span_text(low, high)
            for value, sign in product([*values, *pivots, *constants], _OPERATORS):
                yield f"all({xs}[{k}] {sign} {value} for {k} in {span})"
            for value in values:
                yield f"any({xs}[{k}] == {value} for {k} in {span})"
    for xs in loop.of("bools"):
        for low, high in _ranges(loop, xs):
            yield f"all({xs}[{k}] for {k} in {span_text(low, high)})"
            yield f"all(not {xs}[{k}] for {k} in {span_text(low, high)})"


def _constants(function: ast.FunctionDef) -> list[str]:
    found = {
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) <= 1 << 16
    }
    return [str(value) for value in sorted(found | {0})][:8]

"""Triggers for quantifiers: which ground terms make an instance worth having."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from certune.verifier.contracts import terms as t
from certune.verifier.contracts.terms import Term

_MAX_PATTERNS = 4
_MAX_SIZE = 12
Pattern = tuple[Term, ...]


def ground_level(term: Term) -> Term:
    """The term with recursive functions at fuel 0, whose terms every application leads to."""
    args = tuple(ground_level(a) for a in term.args)
    if term.op == "app" and not term.data.endswith((".0", ".1", ".differ")):
        return t.make("app", args, term.sort, term.data + ".0")
    return t.rebuild(term, args)


def patterns(variables: tuple[Term, ...], body: Term) -> tuple[Pattern, ...]:
    """The triggers for a quantifier; none where nothing is fit to be one."""
    names = {v.data for v in variables}
    pure: list[Term] = []
    other: list[Term] = []
    for term in t.subterms([body]):
        if term.op not in ("select", "app") or not term.free & names or term.size > _MAX_SIZE:
            continue
        if term.view or not _plain(term):
            continue
        (pure if _pure(term, names) else other).append(term)
    for candidates in (pure, pure + other):
        found = _cover(variables, candidates)
        if found:
            return tuple(tuple(ground_level(p) for p in pattern) for pattern in found)
    return ()


def _plain(term: Term) -> bool:
    """Whether it has no logical structure inside, which solvers do not match."""
    return all(
        s.op in ("select", "app", "const", "bound", "int", "word", "+", "neg", "*", "w2i", "i2w")
        for s in t.subterms([term])
    )


def _pure(term: Term, names: set[str]) -> bool:
    """Whether variables stand in it as arguments by themselves."""
    return all(
        s.op in ("select", "app") or not any(a.op == "bound" and a.data in names for a in s.args)
        for s in t.subterms([term])
    )


def _cover(variables: tuple[Term, ...], candidates: list[Term]) -> tuple[Pattern, ...]:
    names = {v.data for v in variables}
    whole = [c for c in candidates if names <= c.free]
    least = [c for c in whole if not any(o is not c and o in t.subterms([c]) for o in whole)]
    if least:
        least.sort(key=lambda c: c.size)
        return tuple((c,) for c in least[:_MAX_PATTERNS])
    choices: list[list[Term]] = []
    for v in variables:
        with_it = sorted((c for c in candidates if v.data in c.free), key=lambda c: c.size)
        if not with_it:
            return ()
        choices.append(with_it[:3])
    found: list[Pattern] = []
    for chosen in product(*choices):
        pattern = tuple(_distinct(chosen))
        if pattern not in found:
            found.append(pattern)
        if len(found) == _MAX_PATTERNS:
            break
    return tuple(found)


def _distinct(items: Iterable[Term]) -> list[Term]:
    return list(dict.fromkeys(items))

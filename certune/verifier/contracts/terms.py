"""Formulas: hash-consed terms over integers, words, truth values and arrays.

Sorts are ``"Int"``, ``"Bool"``, the fixed-width types by name (``"u32"``) and ``("Array", s)``,
indexed by integers. Words are bit-vectors or integers only when a term is written out; here
``w2i`` and ``i2w`` go between, and arithmetic is that of integers.

Arrays have views, which are gone once selected from: ``shift`` (a slice), ``fill``, ``cat`` and
``lam``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from certune.verifier.contracts.logic import (
    FALSE,
    TRUE,
    Sort,
    Term,
    add,
    and_,
    bound,
    const,
    eq,
    fdiv,
    fmod,
    implies,
    ite,
    le,
    lt,
    make,
    mul,
    neg,
    not_,
    num,
    or_,
    sub,
    truth,
)
from certune.verifier.contracts.types import WORDS


def w2i(a: Term) -> Term:
    """A word as an integer."""
    if a.op == "word":
        return num(a.data)
    return a.args[0] if a.op == "i2w" else make("w2i", (a,), "Int")


def i2w(a: Term, sort: str) -> Term:
    """An integer that is known to be in range as a word."""
    if a.op == "int":
        return word(a.data, sort)
    if a.op == "w2i" and a.args[0].sort == sort:
        return a.args[0]
    return make("i2w", (a,), sort)


def word(value: int, sort: str) -> Term:
    """A word of the value modulo 2**bits."""
    kind = WORDS[sort]
    return make("word", (), sort, ((value - kind.low) & ((1 << kind.bits) - 1)) + kind.low)


def wrap(a: Term, sort: str) -> Term:
    """An integer modulo 2**bits as a word."""
    if a.op == "int":
        return word(a.data, sort)
    if a.op == "w2i" and a.args[0].sort == sort:
        return a.args[0]
    return make("wrap", (a,), sort)


def in_range(a: Term, sort: str) -> Term:
    """Whether the integer is a member of the fixed-width type."""
    kind = WORDS[sort]
    if a.op == "w2i":
        inner = WORDS[str(a.args[0].sort)]
        if kind.low <= inner.low and inner.high <= kind.high:
            return TRUE
    return and_(le(num(kind.low), a), le(a, num(kind.high)))


def select(array: Term, index: Term) -> Term:
    """An element; views are seen through."""
    if array.op == "shift":
        return select(array.args[0], add(array.args[1], index))
    if array.op == "fill":
        return array.args[0]
    if array.op == "cat":
        first, length, second = array.args
        return ite(lt(index, length), select(first, index), select(second, sub(index, length)))
    if array.op == "lam":
        return substitute(array.args[0], {array.data: index})
    if array.view and array.op == "ite":
        test, yes, no = array.args
        return ite(test, select(yes, index), select(no, index))
    if array.view and array.op == "store":
        base, at, value = array.args
        return ite(eq(index, at), value, select(base, index))
    if array.op == "store" and array.args[1] is index:
        return array.args[2]
    assert isinstance(array.sort, tuple)
    return make("select", (array, index), array.sort[1])


def store(array: Term, index: Term, value: Term) -> Term:
    """The array with one element changed."""
    return make("store", (array, index, value), array.sort)


def shift(array: Term, low: Term) -> Term:
    """The view that begins at `low`."""
    if low.op == "int" and low.data == 0:
        return array
    return make("shift", (array, low), array.sort)


def fill(value: Term) -> Term:
    """The view of which every element is `value`."""
    return make("fill", (value,), ("Array", value.sort))


def cat(first: Term, length: Term, second: Term) -> Term:
    """The view of `length` elements of one array, then the other."""
    return make("cat", (first, length, second), first.sort)


def lam(variable: Term, body: Term) -> Term:
    """The view whose element at `variable` is `body`."""
    return make("lam", (body,), ("Array", body.sort), variable)


def forall(variables: tuple[Term, ...], body: Term) -> Term:
    """Universal quantification over those variables that occur."""
    return _quantified("forall", variables, body)


def exists(variables: tuple[Term, ...], body: Term) -> Term:
    """Existential quantification over those variables that occur."""
    return _quantified("exists", variables, body)


def _quantified(op: str, variables: tuple[Term, ...], body: Term) -> Term:
    used = tuple(v for v in variables if v.data in body.free)
    if not used:
        return body
    if op == "forall" and body.op == "forall":
        return make(op, body.args, "Bool", used + body.data)
    if op == "forall" and body.op == "=>" and body.args[1].op == "forall":
        inner = body.args[1]
        test = body.args[0]
        if not any(v.data in test.free for v in inner.data):
            return make(op, (implies(test, inner.args[0]),), "Bool", used + inner.data)
    if op == "exists" and body.op == "exists":
        return make(op, body.args, "Bool", used + body.data)
    return make(op, (body,), "Bool", used)


def app(function: str, args: tuple[Term, ...], sort: Sort) -> Term:
    """A specification function's value."""
    return make("app", args, sort, function)


_REBUILD: dict[str, Callable[..., Term]] = {
    "not": not_,
    "and": and_,
    "or": or_,
    "=>": implies,
    "ite": ite,
    "=": eq,
    "<": lt,
    "<=": le,
    "+": add,
    "neg": neg,
    "*": mul,
    "//": fdiv,
    "%": fmod,
    "w2i": w2i,
    "select": select,
    "store": store,
    "shift": shift,
    "fill": fill,
    "cat": cat,
}


def rebuild(term: Term, args: tuple[Term, ...]) -> Term:
    """The term with other arguments, simplified again."""
    if args == term.args:
        return term
    if term.op in _REBUILD:
        return _REBUILD[term.op](*args)
    if term.op in ("i2w", "wrap"):
        return (i2w if term.op == "i2w" else wrap)(args[0], str(term.sort))
    if term.op in ("forall", "exists"):
        return _quantified(term.op, term.data, args[0])
    return make(term.op, args, term.sort, term.data)


def substitute(term: Term, mapping: dict[Term, Term]) -> Term:
    """The term with constants or bound variables replaced; binders are unique, nothing clashes."""
    names = {v.data for v in mapping if v.op == "bound"}
    plain = len(names) == len(mapping)
    done: dict[Term, Term] = {}

    def go(t: Term) -> Term:
        if t in mapping:
            return mapping[t]
        if not t.args or (plain and not (t.free & names)):
            return t
        found = done.get(t)
        if found is None:
            found = done[t] = rebuild(t, tuple(go(a) for a in t.args))
        return found

    return go(term)


def subterms(roots: Iterable[Term]) -> list[Term]:
    """Every subterm once, in order of first occurrence."""
    seen: set[Term] = set()
    done: list[Term] = []
    stack = list(roots)[::-1]
    while stack:
        term = stack.pop()
        if term in seen:
            continue
        seen.add(term)
        done.append(term)
        stack.extend(reversed(term.args))
    return done


__all__ = [
    "FALSE",
    "TRUE",
    "Sort",
    "Term",
    "add",
    "and_",
    "app",
    "bound",
    "cat",
    "const",
    "eq",
    "exists",
    "fdiv",
    "fill",
    "fmod",
    "forall",
    "i2w",
    "implies",
    "in_range",
    "ite",
    "lam",
    "le",
    "lt",
    "make",
    "mul",
    "neg",
    "not_",
    "num",
    "or_",
    "rebuild",
    "select",
    "shift",
    "store",
    "sub",
    "substitute",
    "subterms",
    "truth",
    "w2i",
    "word",
    "wrap",
]

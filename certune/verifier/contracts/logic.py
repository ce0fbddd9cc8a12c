"""The nodes of formulas, and their logic and arithmetic; `terms` has the rest."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import Any, TypeAlias, Union

from certune.verifier.contracts.types import WORDS

Sort: TypeAlias = Union[str, tuple[str, "Sort"]]
_VIEWS = frozenset({"shift", "fill", "cat", "lam"})


class Term:
    """One node; equal terms are identical. `free` are the names of its free bound variables."""

    __slots__ = ("__weakref__", "args", "data", "free", "op", "size", "sort", "view")
    free: frozenset[str]
    size: int
    view: bool

    def __init__(self, op: str, args: tuple[Term, ...], data: Any, sort: Sort) -> None:
        self.op = op
        self.args = args
        self.data = data
        self.sort = sort
        free = frozenset(name for a in args for name in a.free)
        if op == "bound":
            free = frozenset((data,))
        elif op in ("forall", "exists"):
            free -= {v.data for v in data}
        elif op == "lam":
            free -= {data.data}
        self.free = free
        self.size = 1 + sum(a.size for a in args)
        self.view = op in _VIEWS or (op in ("ite", "store") and any(a.view for a in args))

    def __repr__(self) -> str:
        inner = " ".join(map(repr, self.args))
        head = self.op if self.data is None else f"{self.op}:{self.data}"
        return f"({head} {inner})" if inner else head


_lock = threading.Lock()
_table: weakref.WeakValueDictionary[Any, Term] = weakref.WeakValueDictionary()


def make(op: str, args: tuple[Term, ...], sort: Sort, data: Any = None) -> Term:
    """The one term of this form, without simplification."""
    key = (op, args, data, sort, type(data))
    found = _table.get(key)
    if found is None:
        with _lock:  # two threads must not make two terms of one form
            found = _table.get(key)
            if found is None:
                found = Term(op, args, data, sort)
                _table[key] = found
    return found


def const(name: str, sort: Sort) -> Term:
    """An unknown of the query."""
    return make("const", (), sort, name)


def bound(name: str, sort: Sort) -> Term:
    """A variable for a quantifier."""
    return make("bound", (), sort, name)


def num(value: int) -> Term:
    """An integer."""
    return make("int", (), "Int", value)


TRUE = make("bool", (), "Bool", True)
FALSE = make("bool", (), "Bool", False)


def truth(value: bool) -> Term:
    """A truth value."""
    return TRUE if value else FALSE


def not_(a: Term) -> Term:
    """Negation."""
    if a is TRUE or a is FALSE:
        return truth(a is FALSE)
    if a.op == "not":
        return a.args[0]
    if a.op == "<":
        return le(a.args[1], a.args[0])
    if a.op == "<=":
        return lt(a.args[1], a.args[0])
    return make("not", (a,), "Bool")


def _junction(op: str, items: Iterable[Term], unit: Term, zero: Term) -> Term:
    flat: list[Term] = []
    seen: set[Term] = set()
    for item in items:
        for part in item.args if item.op == op else (item,):
            if part is zero:
                return zero
            if part is not unit and part not in seen:
                seen.add(part)
                flat.append(part)
    if not flat:
        return unit
    return flat[0] if len(flat) == 1 else make(op, tuple(flat), "Bool")


def and_(*items: Term) -> Term:
    """Conjunction."""
    return _junction("and", items, TRUE, FALSE)


def or_(*items: Term) -> Term:
    """Disjunction."""
    return _junction("or", items, FALSE, TRUE)


def implies(a: Term, b: Term) -> Term:
    """Implication."""
    if a is TRUE:
        return b
    if a is FALSE or b is TRUE or a is b:
        return TRUE
    if b.op == "=>":
        return implies(and_(a, b.args[0]), b.args[1])
    return make("=>", (a, b), "Bool")


def ite(c: Term, a: Term, b: Term) -> Term:
    """Choice."""
    if c is TRUE or a is b:
        return a
    if c is FALSE:
        return b
    if a.sort == "Bool" and a is TRUE and b is FALSE:
        return c
    if a.sort == "Bool" and a is FALSE and b is TRUE:
        return not_(c)
    return make("ite", (c, a, b), a.sort)


def eq(a: Term, b: Term) -> Term:
    """Equality of two terms of one sort."""
    if a is b:
        return TRUE
    if a.op == b.op and a.op in ("int", "bool", "word"):
        return FALSE
    if a.op == "w2i" and b.op == "w2i" and a.args[0].sort == b.args[0].sort:
        return eq(a.args[0], b.args[0])
    if b.op == "int" and a.op == "w2i":
        return _word_equals(a.args[0], b)
    if a.op == "int" and b.op == "w2i":
        return _word_equals(b.args[0], a)
    if a.sort == "Bool":
        if b is TRUE:
            return a
        if b is FALSE:
            return not_(a)
    return make("=", (a, b), "Bool")


def _word_equals(word: Term, number: Term) -> Term:
    kind = WORDS[str(word.sort)]
    if kind.low <= number.data <= kind.high:
        return eq(word, make("word", (), word.sort, number.data))
    return FALSE


def lt(a: Term, b: Term) -> Term:
    """``a < b`` on integers."""
    if a.op == "int" and b.op == "int":
        return truth(a.data < b.data)
    if a is b:
        return FALSE
    return make("<", (a, b), "Bool")


def le(a: Term, b: Term) -> Term:
    """``a <= b`` on integers."""
    if a.op == "int" and b.op == "int":
        return truth(a.data <= b.data)
    if a is b:
        return TRUE
    return make("<=", (a, b), "Bool")


def add(*items: Term) -> Term:
    """Sum, its number last."""
    total = 0
    flat: list[Term] = []
    for item in items:
        for part in item.args if item.op == "+" else (item,):
            if part.op == "int":
                total += part.data
            else:
                flat.append(part)
    negated = [p.args[0] for p in flat if p.op == "neg"]
    for inner in negated:
        if inner in flat:
            flat.remove(inner)
            flat.remove(make("neg", (inner,), "Int"))
    if total or not flat:
        flat.append(num(total))
    return flat[0] if len(flat) == 1 else make("+", tuple(flat), "Int")


def neg(a: Term) -> Term:
    """``-a``."""
    if a.op == "int":
        return num(-a.data)
    if a.op == "neg":
        return a.args[0]
    if a.op == "+":
        return add(*(neg(part) for part in a.args))
    return make("neg", (a,), "Int")


def sub(a: Term, b: Term) -> Term:
    """``a - b``."""
    return add(a, neg(b))


def mul(a: Term, b: Term) -> Term:
    """``a * b``."""
    if a.op == "int" and b.op == "int":
        return num(a.data * b.data)
    if b.op == "int":
        a, b = b, a
    if a.op == "int" and a.data in (0, 1):
        return b if a.data else num(0)
    return make("*", (a, b), "Int")


def fdiv(a: Term, b: Term) -> Term:
    """Python's ``a // b``."""
    if a.op == "int" and b.op == "int" and b.data:
        return num(a.data // b.data)
    return a if b.op == "int" and b.data == 1 else make("//", (a, b), "Int")


def fmod(a: Term, b: Term) -> Term:
    """Python's ``a % b``."""
    if a.op == "int" and b.op == "int" and b.data:
        return num(a.data % b.data)
    return make("%", (a, b), "Int")

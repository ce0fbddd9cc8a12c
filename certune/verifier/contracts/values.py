"""Values as flat tuples of terms: lists, records and options without datatypes.

A list is its length and, for each leaf of its element type, an array; a record or tuple its
parts in order; an option a truth value (it is there) and its content; a dictionary the set of
its keys, an array for each leaf of its values, and its size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from certune.verifier.contracts import terms as t
from certune.verifier.contracts.terms import Sort, Term
from certune.verifier.contracts.types import (
    BoolT,
    DictT,
    IntT,
    ListT,
    NoneT,
    OptionT,
    RecordT,
    SetT,
    TupleT,
    Type,
    WordT,
)


@dataclass(frozen=True)
class Value:
    """A value of a type, as its leaves."""

    type: Type
    leaves: tuple[Term, ...]

    @property
    def term(self) -> Term:
        """The only leaf of a scalar."""
        (leaf,) = self.leaves
        return leaf


def sorts(kind: Type) -> tuple[Sort, ...]:
    """The sorts of the leaves."""
    if isinstance(kind, IntT):
        return ("Int",)
    if isinstance(kind, BoolT):
        return ("Bool",)
    if isinstance(kind, WordT):
        return (str(kind),)
    if isinstance(kind, NoneT):
        return ()
    if isinstance(kind, ListT):
        return ("Int", *(("Array", s) for s in sorts(kind.item)))
    if isinstance(kind, OptionT):
        return ("Bool", *sorts(kind.item))
    if isinstance(kind, DictT):
        return (("Array", "Bool"), *(("Array", s) for s in sorts(kind.value)), "Int")
    if isinstance(kind, SetT):
        return (("Array", "Bool"), "Int")
    return tuple(s for part in parts(kind) for s in sorts(part))


def leaf_names(kind: Type) -> tuple[str, ...]:
    """A suffix for the name of each leaf."""
    if isinstance(kind, ListT):
        return (".len", *(f"[]{n}" for n in leaf_names(kind.item)))
    if isinstance(kind, OptionT):
        return (".there", *leaf_names(kind.item))
    if isinstance(kind, DictT):
        return (".keys", *(f"[]{n}" for n in leaf_names(kind.value)), ".size")
    if isinstance(kind, SetT):
        return (".keys", ".size")
    if isinstance(kind, RecordT):
        return tuple(f".{f}{n}" for f, part in kind.fields for n in leaf_names(part))
    if isinstance(kind, TupleT):
        return tuple(f".{k}{n}" for k, part in enumerate(kind.items) for n in leaf_names(part))
    return ("",) * len(sorts(kind))


def parts(kind: Type) -> tuple[Type, ...]:
    """The types of the parts of a tuple or record."""
    if isinstance(kind, TupleT):
        return kind.items
    assert isinstance(kind, RecordT)
    return tuple(part for _, part in kind.fields)


def part_range(kind: Type, index: int) -> tuple[int, int]:
    """Between which leaves a part lies."""
    before = sum(len(sorts(p)) for p in parts(kind)[:index])
    return before, before + len(sorts(parts(kind)[index]))


def part(value: Value, index: int) -> Value:
    """A member of a tuple or record."""
    low, high = part_range(value.type, index)
    return Value(parts(value.type)[index], value.leaves[low:high])


def field_index(kind: Type, name: str) -> int:
    """The position of a record's field."""
    assert isinstance(kind, RecordT)
    return [n for n, _ in kind.fields].index(name)


def with_part(value: Value, index: int, new: Value) -> Value:
    """The tuple or record with one member replaced."""
    low, high = part_range(value.type, index)
    return Value(value.type, value.leaves[:low] + new.leaves + value.leaves[high:])


def build(kind: Type, items: Sequence[Value]) -> Value:
    """A tuple or record of its members."""
    return Value(kind, tuple(leaf for item in items for leaf in item.leaves))


def element(value: Value, index: Term) -> Value:
    """An element of a list."""
    assert isinstance(value.type, ListT)
    return Value(value.type.item, tuple(t.select(a, index) for a in value.leaves[1:]))


def with_element(value: Value, index: Term, new: Value) -> Value:
    """The list with one element replaced."""
    arrays = tuple(
        a if x is t.select(a, index) else t.store(a, index, x)
        for a, x in zip(value.leaves[1:], new.leaves, strict=True)
    )
    return Value(value.type, (value.leaves[0], *arrays))


def zero(sort: Sort) -> Term:
    """Some term of the sort."""
    if sort == "Int":
        return t.num(0)
    if sort == "Bool":
        return t.FALSE
    if isinstance(sort, tuple):
        return t.fill(zero(sort[1]))
    return t.word(0, sort)


def default(kind: Type) -> Value:
    """Some value: 0, False, None, the empty list."""
    return Value(kind, tuple(zero(s) for s in sorts(kind)))


def choose(test: Term, yes: Value, no: Value) -> Value:
    """A choice of two values."""
    return Value(
        yes.type,
        tuple(t.ite(test, a, b) for a, b in zip(yes.leaves, no.leaves, strict=True)),
    )


def same(a: Value, b: Value, fresh: Callable[[str], str]) -> Term:
    """Whether two values of one type are equal, as Python's ``==`` has it."""
    kind = a.type
    if isinstance(kind, ListT):
        length = t.eq(a.leaves[0], b.leaves[0])
        if a.leaves == b.leaves:
            return length
        k = t.bound(fresh("k"), "Int")
        inside = t.and_(t.le(t.num(0), k), t.lt(k, a.leaves[0]))
        equal = same(element(a, k), element(b, k), fresh)
        return t.and_(length, t.forall((k,), t.implies(inside, equal)))
    if isinstance(kind, OptionT):
        there = t.eq(a.leaves[0], b.leaves[0])
        inner = same(Value(kind.item, a.leaves[1:]), Value(kind.item, b.leaves[1:]), fresh)
        return t.and_(there, t.implies(a.leaves[0], inner))
    if isinstance(kind, DictT | SetT):
        k = t.bound(fresh("k"), "Int")
        here, there = t.select(a.leaves[0], k), t.select(b.leaves[0], k)
        claim = t.eq(here, there)
        if isinstance(kind, DictT):
            inner = same(entry(a, k), entry(b, k), fresh)
            claim = t.and_(claim, t.implies(here, inner))
        return t.and_(t.eq(a.leaves[-1], b.leaves[-1]), t.forall((k,), claim))
    if isinstance(kind, TupleT | RecordT):
        return t.and_(*(same(part(a, i), part(b, i), fresh) for i in range(len(parts(kind)))))
    return t.and_(*(t.eq(x, y) for x, y in zip(a.leaves, b.leaves, strict=True)))


def entry(value: Value, key: Term) -> Value:
    """What a dictionary holds under a key."""
    assert isinstance(value.type, DictT)
    return Value(value.type.value, tuple(t.select(a, key) for a in value.leaves[1:-1]))


def well_formed(value: Value, fresh: Callable[[str], str]) -> list[Term]:
    """What is so of every value of the type, elements outside of the length included."""
    kind = value.type
    if isinstance(kind, WordT):
        return [] if value.term.op == "word" else [t.make("inrange", value.leaves, "Bool")]
    if isinstance(kind, ListT):
        facts = [t.le(t.num(0), value.leaves[0])]
        k = t.bound(fresh("k"), "Int")
        inner = well_formed(
            Value(kind.item, tuple(t.select(a, k) for a in value.leaves[1:])), fresh
        )
        return facts + [t.forall((k,), fact) for fact in inner]
    if isinstance(kind, OptionT):
        return well_formed(Value(kind.item, value.leaves[1:]), fresh)
    if isinstance(kind, DictT | SetT):
        size, k = value.leaves[-1], t.bound(fresh("k"), "Int")
        present = t.select(value.leaves[0], k)
        facts = [t.le(t.num(0), size), t.forall((k,), t.implies(present, t.lt(t.num(0), size)))]
        if isinstance(kind.key, WordT):
            facts.append(t.forall((k,), t.implies(present, t.in_range(k, str(kind.key)))))
        if isinstance(kind, DictT):
            inner = well_formed(entry(value, k), fresh)
            facts += [t.forall((k,), fact) for fact in inner]
        return facts
    if isinstance(kind, TupleT | RecordT):
        return [
            fact for i in range(len(parts(kind))) for fact in well_formed(part(value, i), fresh)
        ]
    return []

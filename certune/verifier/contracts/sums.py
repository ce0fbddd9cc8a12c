"""Sums and counts over ranges, and permutations, as functions of the logic.

Each sum ``sum(e(i) for i in range(a, b))`` is a function of what e mentions and of a and b,
defined by recursion on b (with fuel, so that e-matching ends). The other axioms follow from
that by induction; `tests` prove them so.
"""

from __future__ import annotations

from collections.abc import Callable

from certune.verifier.contracts import terms as t
from certune.verifier.contracts.state import Axiom, Definition
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.types import ListT, WordT
from certune.verifier.contracts.values import Value


class Sums:
    """The sums that one function's conditions mention."""

    def __init__(self, fresh: Callable[[str], str]) -> None:
        self.fresh = fresh
        self.names: dict[Term, str] = {}
        self.definitions: dict[str, Definition] = {}

    def apply(self, index: Term, body: Term, low: Term, high: Term) -> Term:
        """The sum of `body` over ``low <= index < high``."""
        leaves = [
            leaf
            for leaf in t.subterms([body])
            if (leaf.op == "const" or (leaf.op == "bound" and leaf.data in body.free))
            and leaf is not index
        ]
        slots = [t.bound(f"p{n}", leaf.sort) for n, leaf in enumerate(leaves)]
        i = t.bound("i", "Int")
        template = t.substitute(body, {**dict(zip(leaves, slots, strict=True)), index: i})
        if template not in self.names:
            name = f"sum~{len(self.names)}"
            self.names[template] = name
            self.definitions[name] = _definition(name, template, tuple(slots), i)
        return t.app(self.names[template], (*leaves, low, high), "Int")

    def permutation(self, a: Value, b: Value) -> Term:
        """Whether two lists of integers are permutations of each other."""
        value = t.bound(self.fresh("v"), "Int")
        counts = []
        for one in (a, b):
            i = t.bound(self.fresh("i"), "Int")
            element = t.select(one.leaves[1], i)
            assert isinstance(one.type, ListT)
            if isinstance(one.type.item, WordT):
                element = t.w2i(element)
            hit = t.ite(t.eq(element, value), t.num(1), t.num(0))
            counts.append(self.apply(i, hit, t.num(0), one.leaves[0]))
        equal = t.forall((value,), t.eq(counts[0], counts[1]))
        return t.and_(t.eq(a.leaves[0], b.leaves[0]), equal)


def _definition(name: str, body: Term, slots: tuple[Term, ...], i: Term) -> Definition:
    low, high, middle = (t.bound(n, "Int") for n in ("low", "high", "middle"))

    def value(level: str, first: Term, last: Term, captured: tuple[Term, ...] = slots) -> Term:
        return t.app(name + level, (*captured, first, last), "Int")

    def at(place: Term) -> Term:
        return t.substitute(body, {i: place})

    variables = (*slots, low, high)
    axioms = []
    for upper, lower in (("", ".1"), (".1", ".0")):
        whole = value(upper, low, high)
        before = t.sub(high, t.num(1))
        unfolded = t.ite(t.le(high, low), t.num(0), t.add(value(lower, low, before), at(before)))
        same = t.eq(whole, value(lower, low, high))
        axioms.append(Axiom(variables, t.and_(t.eq(whole, unfolded), same), ((whole,),)))
    ground = value(".0", low, high)
    axioms.append(
        Axiom(variables, t.implies(t.le(high, low), t.eq(ground, t.num(0))), ((ground,),))
    )
    axioms.extend(_bounds(body, ground, variables, low, high))
    axioms.extend(_stores(body, slots, i, low, high, value))
    extra = [
        Axiom(
            variables,
            t.implies(
                t.lt(low, high),
                t.eq(value("", low, high), t.add(at(low), value(".0", t.add(low, t.num(1)), high))),
            ),
            ((value("", low, high),),),
        ),
        Axiom(
            (*variables, middle),
            t.implies(
                t.and_(t.le(low, middle), t.le(middle, high)),
                t.eq(
                    value(".0", low, high),
                    t.add(value(".0", low, middle), value(".0", middle, high)),
                ),
            ),
            (
                (value(".0", low, middle), value(".0", middle, high)),
                (value(".0", low, high), value(".0", low, middle)),
            ),
        ),
    ]
    extra.extend(_extensional(name, body, slots, i, low, high, value))
    return Definition(name, tuple(axioms), tuple(extra))


def _bounds(
    body: Term, ground: Term, variables: tuple[Term, ...], low: Term, high: Term
) -> list[Axiom]:
    """A count lies between 0 and the length of the range; nothing is known of other sums."""
    if body.op == "ite" and all(a.op == "int" and a.data in (0, 1) for a in body.args[1:]):
        length = t.ite(t.lt(low, high), t.sub(high, low), t.num(0))
        claim = t.and_(t.le(t.num(0), ground), t.le(ground, length))
        return [Axiom(variables, claim, ((ground,),))]
    return []


def _stores(
    body: Term,
    slots: tuple[Term, ...],
    i: Term,
    low: Term,
    high: Term,
    value: Callable[..., Term],
) -> list[Axiom]:
    """One element changed: the sum changes by the difference, where only element i is read at i."""
    done = []
    selects = [s for s in t.subterms([body]) if s.op == "select"]
    for k, slot in enumerate(slots):
        reads = [s for s in selects if s.args[0] is slot]
        uses = [s for s in t.subterms([body]) if slot in s.args]
        if not isinstance(slot.sort, tuple) or len(uses) != len(reads):
            continue
        if not reads or any(s.args[1] is not i for s in reads):
            continue
        at, new = t.bound("at", "Int"), t.bound("new", slot.sort[1])
        changed = t.store(slot, at, new)
        after = value(".0", low, high, (*slots[:k], changed, *slots[k + 1 :]))
        before = value(".0", low, high)
        here = t.substitute(body, {i: at})
        there = t.substitute(here, {t.select(slot, at): new})
        delta = t.ite(t.and_(t.le(low, at), t.lt(at, high)), t.sub(there, here), t.num(0))
        variables = (*slots, low, high, at, new)
        done.append(Axiom(variables, t.eq(after, t.add(before, delta)), ((after,),)))
    return done


def _extensional(
    name: str,
    body: Term,
    slots: tuple[Term, ...],
    i: Term,
    low: Term,
    high: Term,
    value: Callable[..., Term],
) -> list[Axiom]:
    """Two sums whose members agree are equal: or there is a place where they differ."""
    if not any(isinstance(s.sort, tuple) for s in slots):
        return []
    others = tuple(
        t.bound(f"q{n}", s.sort) if isinstance(s.sort, tuple) else s for n, s in enumerate(slots)
    )
    swap = {a: b for a, b in zip(slots, others, strict=True) if a is not b}
    variables = (*slots, *swap.values(), low, high)
    place = t.app(f"{name}.differ", variables, "Int")
    here = t.substitute(body, {i: place})
    there = t.substitute(body, {**swap, i: place})
    one, two = value(".0", low, high), value(".0", low, high, others)
    inside = t.and_(t.le(low, place), t.lt(place, high), t.not_(t.eq(here, there)))
    return [Axiom(variables, t.or_(t.eq(one, two), inside), ((one, two),))]

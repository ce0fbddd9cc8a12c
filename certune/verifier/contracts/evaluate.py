"""Expressions to terms: lists, records, dictionaries, quantifiers, calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from certune.verifier.contracts import terms as t
from certune.verifier.contracts import tree
from certune.verifier.contracts import values as v
from certune.verifier.contracts.evaluate_scalars import Scalars
from certune.verifier.contracts.report import Place
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.types import BOOL, INT, DictT, ListT, SetT
from certune.verifier.contracts.values import Value

_WRITTEN_OUT = 16  # members of a sum that are added up besides its being a sum


class Evaluator(Scalars):
    """Evaluates expressions in one state, those of `Scalars` and all others."""

    def value(self, expr: tree.Expr) -> Value:
        """The value of any expression."""
        self.engine.tick()
        return _EVALUATE[type(expr)](self, expr)

    # -- lists, records -----------------------------------------------------------------------

    def _length(self, e: tree.Len) -> Value:
        inner = self.value(e.item)
        leaf = inner.leaves[0] if isinstance(inner.type, ListT) else inner.leaves[-1]
        return Value(INT, (leaf,))

    def _index(self, e: tree.Index) -> Value:
        item, index = self.value(e.item), self.integer(e.index)
        self.need("index", e.at, inside(index, item))
        return v.element(item, index)

    def _sliced(self, e: tree.Slice) -> Value:
        item = self.value(e.item)
        low, high = self.integer(e.low), self.integer(e.high)
        self.need(
            "slice",
            e.at,
            t.and_(t.le(t.num(0), low), t.le(low, high), t.le(high, item.leaves[0])),
        )
        arrays = tuple(t.shift(a, low) for a in item.leaves[1:])
        return Value(item.type, (t.sub(high, low), *arrays))

    def _field(self, e: tree.Field) -> Value:
        item = self.value(e.item)
        return v.part(item, v.field_index(item.type, e.name))

    def _item(self, e: tree.Item) -> Value:
        return v.part(self.value(e.item), e.index)

    def _built(self, e: tree.Build) -> Value:
        items = [self.value(i) for i in e.items]
        if not isinstance(e.type, ListT):
            return v.build(e.type, items)
        arrays = list(v.default(e.type).leaves[1:])
        for number, item in enumerate(items):
            for k, leaf in enumerate(item.leaves):
                arrays[k] = t.store(arrays[k], t.num(number), leaf)
        return Value(e.type, (t.num(len(items)), *arrays))

    def _repeated(self, e: tree.Repeat) -> Value:
        item, count = self.value(e.item), self.integer(e.count)
        length = t.ite(t.lt(count, t.num(0)), t.num(0), count)
        return Value(e.type, (length, *(t.fill(leaf) for leaf in item.leaves)))

    def _concatenated(self, e: tree.Concat) -> Value:
        a, b = self.value(e.left), self.value(e.right)
        length = a.leaves[0]
        arrays = (t.cat(x, length, y) for x, y in zip(a.leaves[1:], b.leaves[1:], strict=True))
        return Value(e.type, (t.add(length, b.leaves[0]), *arrays))

    def _copied(self, e: tree.Copy) -> Value:
        return self.value(e.item)

    def _contains(self, e: tree.Contains) -> Value:
        item = self.value(e.item)
        if isinstance(item.type, DictT | SetT):
            return Value(BOOL, (t.select(item.leaves[0], self.integer(e.key)),))
        k = t.bound(self.engine.fresh("k"), "Int")
        key = self.value(e.key)
        found = v.same(v.element(item, k), key, self.engine.fresh)
        return Value(BOOL, (t.exists((k,), t.and_(inside(k, item), found)),))

    def _lookup(self, e: tree.Lookup) -> Value:
        item, key = self.value(e.item), self.integer(e.key)
        present = t.select(item.leaves[0], key)
        found = v.entry(item, key)
        if e.default is None:
            self.need("key", e.at, present)
            return found
        return v.choose(present, found, self.value(e.default))

    def _empty(self, e: tree.Empty) -> Value:
        return v.default(e.type)

    # -- binders ------------------------------------------------------------------------------

    @contextmanager
    def bind(self, binder: tree.Binder) -> Iterator[tuple[Term, Term]]:
        """Within: the binder's variable; yields it and the condition under which it ranges."""
        if binder.keys is not None:
            over = self.value(binder.keys)
            k = t.bound(self.engine.fresh(binder.name), "Int")
            ranges = t.select(over.leaves[0], k)
        else:
            assert binder.low is not None
            assert binder.high is not None
            for first in binder.before:
                self.value(first)
            low, high = self.integer(binder.low), self.integer(binder.high)
            k = t.bound(self.engine.fresh(binder.name), "Int")
            ranges = t.and_(t.le(low, k), t.lt(k, high))
        before = self.env
        self.env = {**before, binder.name: self.scalar(_typed(binder), k)}
        try:
            with self.under((k,), ranges):
                tests: list[Term] = []
                for test in binder.conditions:
                    tests.append(self.term(test))
                    self.guards.append(tests[-1])
                yield k, t.and_(ranges, *tests)
        finally:
            self.env = before

    def _quantified(self, e: tree.Quantifier) -> Value:
        def go(binders: tuple[tree.Binder, ...]) -> Term:
            if not binders:
                return self.term(e.body)
            with self.bind(binders[0]) as (k, ranges):
                inner = go(binders[1:])
            if e.op == "all":
                return t.forall((k,), t.implies(ranges, inner))
            return t.exists((k,), t.and_(ranges, inner))

        expanded = self.engine.expanded(self, e)
        return Value(BOOL, (go(e.binders) if expanded is None else expanded,))

    def _summed(self, e: tree.Sum) -> Value:
        low, high = e.binder.low, e.binder.high
        assert low is not None
        assert high is not None
        with self.bind(e.binder) as (k, _):
            number = self.integer(e.body)
            tests = [g for g in self.guards[-len(e.binder.conditions) :] if isinstance(g, Term)]
            if e.binder.conditions:
                number = t.ite(t.and_(*tests), number, t.num(0))
        first, last = self.integer(low), self.integer(high)
        total = self.engine.sums.apply(k, number, first, last)
        short = first.op == last.op == "int" and last.data - first.data <= _WRITTEN_OUT
        if short and not self.binding:
            places = range(first.data, last.data)
            members = (t.substitute(number, {k: t.num(place)}) for place in places)
            self.assume(t.eq(total, t.add(t.num(0), *members)))
        return Value(INT, (total,))

    def _listed(self, e: tree.Comprehension) -> Value:
        low, high = e.binder.low, e.binder.high
        assert low is not None
        assert high is not None
        with self.bind(e.binder) as (k, _):
            body = self.value(e.body)
        first, last = self.integer(low), self.integer(high)
        length = t.sub(last, first)
        length = t.ite(t.lt(length, t.num(0)), t.num(0), length)
        arrays = []
        for leaf in body.leaves:
            j = t.bound(self.engine.fresh("j"), "Int")
            arrays.append(t.lam(j, t.substitute(leaf, {k: t.add(first, j)})))
        return Value(e.type, (length, *arrays))

    def _permuted(self, e: tree.Permutation) -> Value:
        a, b = self.value(e.left), self.value(e.right)
        return Value(BOOL, (self.engine.sums.permutation(a, b),))

    def _called(self, e: tree.Call) -> Value:
        function = self.engine.module.functions[e.function]
        if function.role == "code" and self.binding:
            raise refuse(e.at, "a call within a generator", "write a loop, or use @spec", "calls")
        return self.engine.call(self, e, function)


def inside(index: Term, item: Value) -> Term:
    """Whether the index is one of the list's."""
    return t.and_(t.le(t.num(0), index), t.lt(index, item.leaves[0]))


def _typed(binder: tree.Binder) -> tree.Expr:
    return tree.Expr(binder.type, Place(1, 1))


_EVALUATE: dict[type[tree.Expr], Callable[[Evaluator, Any], Value]] = {
    tree.Lit: Evaluator._lit,
    tree.Var: Evaluator._var,
    tree.Old: Evaluator._entry,
    tree.Bin: Evaluator._binary,
    tree.Neg: Evaluator._negative,
    tree.Bit: Evaluator._bits,
    tree.Inv: Evaluator._invert,
    tree.Convert: Evaluator._convert,
    tree.Wrap: Evaluator._wrapped,
    tree.WrapShl: Evaluator._wrapped_shl,
    tree.Cmp: Evaluator._compare,
    tree.Same: Evaluator._same,
    tree.And: Evaluator._conjunction,
    tree.Or: Evaluator._disjunction,
    tree.Not: Evaluator._negation,
    tree.Implies: Evaluator._implication,
    tree.Choice: Evaluator._choice,
    tree.IsNone: Evaluator._is_none,
    tree.Some: Evaluator._some,
    tree.Unwrap: Evaluator._unwrap,
    tree.Extreme: Evaluator._extreme,
    tree.Abs: Evaluator._absolute,
    tree.Len: Evaluator._length,
    tree.Index: Evaluator._index,
    tree.Slice: Evaluator._sliced,
    tree.Field: Evaluator._field,
    tree.Item: Evaluator._item,
    tree.Build: Evaluator._built,
    tree.Repeat: Evaluator._repeated,
    tree.Concat: Evaluator._concatenated,
    tree.Copy: Evaluator._copied,
    tree.Contains: Evaluator._contains,
    tree.Lookup: Evaluator._lookup,
    tree.Empty: Evaluator._empty,
    tree.Quantifier: Evaluator._quantified,
    tree.Sum: Evaluator._summed,
    tree.Comprehension: Evaluator._listed,
    tree.Permutation: Evaluator._permuted,
    tree.Call: Evaluator._called,
}

"""Expressions to terms, with an obligation wherever Python or the types could go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from certune.verifier.contracts import terms as t
from certune.verifier.contracts import tree
from certune.verifier.contracts import values as v
from certune.verifier.contracts.report import Kind, Place
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.state import State
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.types import BOOL, INT, DictT, ListT, SetT, WordT
from certune.verifier.contracts.values import Value

if TYPE_CHECKING:
    from certune.verifier.contracts.engine import Engine


class Evaluator:
    """Evaluates expressions in one state.

    With `checking`, what must hold becomes a claim and is known afterwards; without, it was
    claimed elsewhere and is not mentioned.
    """

    def __init__(
        self,
        engine: Engine,
        state: State,
        *,
        checking: bool = True,
        env: dict[str, Value] | None = None,
        old: dict[str, Value] | None = None,
    ) -> None:
        self.engine = engine
        self.state = state
        self.checking = checking
        self.env = state.env if env is None else env
        self.old = state.entry if old is None else old
        self.guards: list[Term | tuple[Term, ...]] = []

    # -- obligations --------------------------------------------------------------------------

    def wrap(self, term: Term) -> Term:
        """The term under the conditions and binders that surround it."""
        for guard in reversed(self.guards):
            term = t.forall(guard, term) if isinstance(guard, tuple) else t.implies(guard, term)
        return term

    def need(self, kind: Kind, at: Place, claim: Term, text: str = "") -> None:
        """An obligation."""
        if not self.checking:
            return
        goal = self.wrap(claim)
        if goal is t.TRUE:
            return
        self.engine.claim(kind, at, self.state, goal, text or self.engine.text(at))
        self.state.assume(goal)

    def assume(self, fact: Term) -> None:
        """Something that is known where this is evaluated."""
        self.state.assume(self.wrap(fact))

    @contextmanager
    def under(self, *guards: Term | tuple[Term, ...]) -> Iterator[None]:
        """Within: the conditions hold, the variables are bound."""
        count = len(self.guards)
        self.guards.extend(guards)
        try:
            yield
        finally:
            del self.guards[count:]

    @property
    def binding(self) -> bool:
        """Whether a quantifier surrounds this."""
        return any(isinstance(g, tuple) for g in self.guards)

    # -- entry points -------------------------------------------------------------------------

    def value(self, expr: tree.Expr) -> Value:
        """The value of any expression."""
        self.engine.tick()
        return _EVALUATE[type(expr)](self, expr)

    def term(self, expr: tree.Expr) -> Term:
        """The term of a scalar."""
        return self.value(expr).term

    def integer(self, expr: tree.Expr) -> Term:
        """The term of an integer of any width, as a mathematical one."""
        made = self.term(expr)
        return t.w2i(made) if isinstance(expr.type, WordT) else made

    def scalar(self, expr: tree.Expr, number: Term) -> Value:
        """A mathematical integer as a value of the expression's type, known to fit."""
        if isinstance(expr.type, WordT):
            return Value(expr.type, (t.i2w(number, str(expr.type)),))
        return Value(INT, (number,))

    def fitting(self, expr: tree.Expr, number: Term, kind: Kind) -> Value:
        """The same, with the obligation."""
        if isinstance(expr.type, WordT):
            self.need(kind, expr.at, t.in_range(number, str(expr.type)))
        return self.scalar(expr, number)

    # -- scalars ------------------------------------------------------------------------------

    def _lit(self, e: tree.Lit) -> Value:
        if e.value is None:
            return v.default(e.type)
        if e.type == BOOL:
            return Value(BOOL, (t.truth(bool(e.value)),))
        if isinstance(e.type, WordT):
            return Value(e.type, (t.word(e.value, str(e.type)),))
        return Value(INT, (t.num(e.value),))

    def _var(self, e: tree.Var) -> Value:
        return self.env[e.name]

    def _entry(self, e: tree.Old) -> Value:
        return self.old[e.name]

    def _binary(self, e: tree.Bin) -> Value:
        a, b = self.integer(e.left), self.integer(e.right)
        if e.op in ("//", "%"):
            self.need("division", e.at, t.not_(t.eq(b, t.num(0))))
        made = _ARITHMETIC[e.op](a, b)
        if e.op == "%" and isinstance(e.type, WordT):
            return self.scalar(e, made)
        if e.op == "//" and isinstance(e.type, WordT) and not e.type.signed:
            return self.scalar(e, made)
        return self.fitting(e, made, "overflow")

    def _negative(self, e: tree.Neg) -> Value:
        return self.fitting(e, t.neg(self.integer(e.item)), "overflow")

    def _bits(self, e: tree.Bit) -> Value:
        assert isinstance(e.type, WordT)
        a = self.term(e.left)
        if e.op in ("<<", ">>"):
            count = self.integer(e.right)
            fits = t.and_(t.le(t.num(0), count), t.lt(count, t.num(e.type.bits)))
            self.need("shift", e.at, fits)
            if e.op == "<<":
                moved = t.make("shl", (a, count), str(e.type))
                back = t.make("shr", (moved, count), str(e.type))
                self.need("overflow", e.at, t.eq(back, a))
                return Value(e.type, (moved,))
            return Value(e.type, (t.make("shr", (a, count), str(e.type)),))
        return Value(e.type, (t.make(e.op, (a, self.term(e.right)), str(e.type)),))

    def _invert(self, e: tree.Inv) -> Value:
        number = t.sub(t.num(-1), self.integer(e.item))
        return self.scalar(e, number)

    def _convert(self, e: tree.Convert) -> Value:
        return self.fitting(e, self.integer(e.item), "conversion")

    def _wrapped(self, e: tree.Wrap) -> Value:
        return Value(e.type, (t.wrap(self.integer(e.item), str(e.type)),))

    def _wrapped_shl(self, e: tree.WrapShl) -> Value:
        assert isinstance(e.type, WordT)
        count = self.integer(e.count)
        self.need("shift", e.at, t.and_(t.le(t.num(0), count), t.lt(count, t.num(e.type.bits))))
        return Value(e.type, (t.make("shl", (self.term(e.item), count), str(e.type)),))

    def _compare(self, e: tree.Cmp) -> Value:
        a, b = self.integer(e.left), self.integer(e.right)
        if e.op in ("<", "<="):
            made = t.lt(a, b) if e.op == "<" else t.le(a, b)
        else:
            made = t.eq(a, b) if e.op == "==" else t.not_(t.eq(a, b))
        return Value(BOOL, (made,))

    def _same(self, e: tree.Same) -> Value:
        made = v.same(self.value(e.left), self.value(e.right), self.engine.fresh)
        return Value(BOOL, (t.not_(made) if e.negated else made,))

    def _conjunction(self, e: tree.And) -> Value:
        return self._junction(e.items, t.and_, lambda term: term)

    def _disjunction(self, e: tree.Or) -> Value:
        return self._junction(e.items, t.or_, t.not_)

    def _junction(
        self,
        items: tuple[tree.Expr, ...],
        join: Callable[..., Term],
        go_on: Callable[[Term], Term],
    ) -> Value:
        done: list[Term] = []
        count = len(self.guards)
        try:
            for item in items:
                done.append(self.term(item))
                self.guards.append(go_on(done[-1]))
        finally:
            del self.guards[count:]
        return Value(BOOL, (join(*done),))

    def _negation(self, e: tree.Not) -> Value:
        return Value(BOOL, (t.not_(self.term(e.item)),))

    def _implication(self, e: tree.Implies) -> Value:
        left = self.term(e.left)
        return Value(BOOL, (t.implies(left, self.term(e.right)),))

    def _choice(self, e: tree.Choice) -> Value:
        test = self.term(e.test)
        with self.under(test):
            yes = self.value(e.yes)
        with self.under(t.not_(test)):
            no = self.value(e.no)
        return v.choose(test, yes, no)

    def _is_none(self, e: tree.IsNone) -> Value:
        return Value(BOOL, (t.not_(self.value(e.item).leaves[0]),))

    def _some(self, e: tree.Some) -> Value:
        return Value(e.type, (t.TRUE, *self.value(e.item).leaves))

    def _unwrap(self, e: tree.Unwrap) -> Value:
        inner = self.value(e.item)
        self.need("none", e.at, inner.leaves[0])
        return Value(e.type, inner.leaves[1:])

    def _extreme(self, e: tree.Extreme) -> Value:
        numbers = [self.integer(i) for i in e.items]
        best = numbers[0]
        for n in numbers[1:]:
            better = t.lt(n, best) if e.op == "min" else t.lt(best, n)
            best = t.ite(better, n, best)
        return self.scalar(e, best)

    def _absolute(self, e: tree.Abs) -> Value:
        a = self.integer(e.item)
        return Value(INT, (t.ite(t.lt(a, t.num(0)), t.neg(a), a),))

    # -- lists, records -----------------------------------------------------------------------

    def _length(self, e: tree.Len) -> Value:
        inner = self.value(e.item)
        leaf = inner.leaves[0] if isinstance(inner.type, ListT) else inner.leaves[-1]
        return Value(INT, (leaf,))

    def _index(self, e: tree.Index) -> Value:
        item, index = self.value(e.item), self.integer(e.index)
        self.need("index", e.at, inside(index, item))
        return self.ranged(v.element(item, index))

    def ranged(self, value: Value) -> Value:
        """The value, its words known to be in range where the term says nothing by itself."""
        return value

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
        return Value(INT, (self.engine.sums.apply(k, number, first, last),))

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


_ARITHMETIC: dict[str, Callable[[Term, Term], Term]] = {
    "+": t.add,
    "-": t.sub,
    "*": t.mul,
    "//": t.fdiv,
    "%": t.fmod,
}
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

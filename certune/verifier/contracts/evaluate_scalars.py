"""Scalars to terms, with an obligation wherever Python or the types could go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from certune.verifier.contracts import terms as t
from certune.verifier.contracts import tree
from certune.verifier.contracts import values as v
from certune.verifier.contracts.report import Kind, Place
from certune.verifier.contracts.state import State
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.types import BOOL, INT, WordT
from certune.verifier.contracts.values import Value

if TYPE_CHECKING:
    from certune.verifier.contracts.engine import Engine


class Scalars:
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
        raise NotImplementedError

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


_ARITHMETIC: dict[str, Callable[[Term, Term], Term]] = {
    "+": t.add,
    "-": t.sub,
    "*": t.mul,
    "//": t.fdiv,
    "%": t.fmod,
}

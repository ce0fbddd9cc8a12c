"""What the conditions of one function share: names, claims, calls, specification functions."""

from __future__ import annotations

from collections.abc import Sequence

from certune.verifier.contracts import terms as t
from certune.verifier.contracts import tree
from certune.verifier.contracts import values as v
from certune.verifier.contracts.evaluate import Evaluator
from certune.verifier.contracts.report import Kind, Limits, Place
from certune.verifier.contracts.source import refuse
from certune.verifier.contracts.specs import Specs, TooLarge
from certune.verifier.contracts.state import Claim, State
from certune.verifier.contracts.sums import Sums
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.types import INT, ListT, Type
from certune.verifier.contracts.values import Value

_MOST_EVALUATED = 100_000
_EXPANDED = {True: 64, False: 8}


class TooMany(Exception):
    """The function has more conditions than the limits allow."""


class Engine:
    """Collects the claims of one function."""

    def __init__(
        self,
        module: tree.Module,
        function: tree.Function,
        lines: dict[str, Sequence[str]],
        limits: Limits,
    ) -> None:
        self.module = module
        self.function = function
        self.lines = lines
        self.limits = limits
        self.claims: list[Claim] = []
        self.sums = Sums(self.fresh)
        self.specs = Specs(self)
        self.measures: list[Term] = []
        self.evaluated = 0
        self._counts: dict[str, int] = {}

    def tick(self) -> None:
        """Count an evaluated expression.

        Raises:
            TooLarge: nested generators over literals multiply beyond what is sensible.
        """
        self.evaluated += 1
        if self.evaluated > _MOST_EVALUATED:
            raise TooLarge

    def fresh(self, name: str) -> str:
        """A name that no other symbol of the function's conditions has."""
        base = name.partition("'")[0]
        count = self._counts[base] = self._counts.get(base, -1) + 1
        return f"{base}!{count}"

    def text(self, at: Place) -> str:
        """The source line at a place."""
        lines = self.lines.get(at.file, ())
        return lines[at.line - 1].strip()[:200] if at.line <= len(lines) else ""

    def claim(self, kind: Kind, at: Place, state: State, goal: Term, text: str) -> None:
        """Record a condition: each conjunct of the goal is one.

        Raises:
            TooMany: beyond the limit.
        """
        facts, env = tuple(state.known()), dict(state.env)
        for part in goal.args if goal.op == "and" else (goal,):
            if len(self.claims) >= self.limits.conditions:
                raise TooMany
            self.claims.append(
                Claim(self.function.name, kind, at, state.trail, text, facts, part, env)
            )

    def unknown(self, kind: Type, hint: str, state: State) -> Value:
        """A value of which nothing is known but its type."""
        leaves = tuple(
            t.const(self.fresh(hint + suffix), sort)
            for suffix, sort in zip(v.leaf_names(kind), v.sorts(kind), strict=True)
        )
        value = Value(kind, leaves)
        for fact in v.well_formed(value, self.fresh):
            state.assume(fact)
        return value

    def named(self, value: Value, hint: str, state: State) -> Value:
        """The value with a constant for each array that is a store or a view, and large scalars."""
        leaves = []
        names = v.leaf_names(value.type)
        for leaf, suffix in zip(value.leaves, names, strict=True):
            if isinstance(leaf.sort, tuple):
                if leaf.op in ("const", "select"):
                    leaves.append(leaf)
                    continue
                symbol = t.const(self.fresh(hint + suffix), leaf.sort)
                if leaf.view:
                    length = value.leaves[0] if isinstance(value.type, ListT) else None
                    self._define_view(symbol, leaf, length, state)
                else:
                    state.assume(t.eq(symbol, leaf))
                leaves.append(symbol)
            elif leaf.size > 24 and not leaf.free:
                symbol = t.const(self.fresh(hint + suffix), leaf.sort)
                state.assume(t.eq(symbol, leaf))
                if leaf.sort not in ("Int", "Bool"):
                    state.assume(t.make("inrange", (symbol,), "Bool"))
                leaves.append(symbol)
            else:
                leaves.append(leaf)
        return Value(value.type, tuple(leaves))

    def _define_view(self, symbol: Term, view: Term, length: Term | None, state: State) -> None:
        k = t.bound(self.fresh("k"), "Int")
        inside = t.TRUE if length is None else t.and_(t.le(t.num(0), k), t.lt(k, length))
        variables = [k]
        left, right = t.select(symbol, k), t.select(view, k)
        while right.view and isinstance(right.sort, tuple):
            j = t.bound(self.fresh("j"), "Int")
            variables.append(j)
            left, right = t.select(left, j), t.select(right, j)
        state.assume(t.forall(tuple(variables), t.implies(inside, t.eq(left, right))))
        if view.op == "shift" and not view.args[0].view and length is not None:
            array, low = view.args
            m = t.bound(self.fresh("m"), "Int")
            there = t.and_(t.le(low, m), t.lt(m, t.add(low, length)))
            equal = t.eq(t.select(array, m), t.select(symbol, t.sub(m, low)))
            state.assume(t.forall((m,), t.implies(there, equal)))

    def expanded(self, evaluator: Evaluator, e: tree.Quantifier) -> Term | None:
        """A quantifier over a few literals as a junction; None where it is none."""
        total = 1
        for binder in e.binders:
            low, high = binder.low, binder.high
            if not (isinstance(low, tree.Lit) and isinstance(high, tree.Lit)):
                return None
            assert isinstance(low.value, int)
            assert isinstance(high.value, int)
            total *= max(0, high.value - low.value)
            if total > _EXPANDED[self.function.bits]:
                return None

        def go(binders: tuple[tree.Binder, ...]) -> Term:
            if not binders:
                return evaluator.term(e.body)
            binder, rest = binders[0], binders[1:]
            assert isinstance(binder.low, tree.Lit)
            assert isinstance(binder.high, tree.Lit)
            assert isinstance(binder.low.value, int)
            assert isinstance(binder.high.value, int)
            done = []
            for number in range(binder.low.value, binder.high.value):
                before, evaluator.env = evaluator.env, dict(evaluator.env)
                evaluator.env[binder.name] = Value(INT, (t.num(number),))
                count = len(evaluator.guards)
                tests = []
                for test in binder.conditions:
                    tests.append(evaluator.term(test))
                    evaluator.guards.append(tests[-1])
                inner = go(rest)
                del evaluator.guards[count:]
                evaluator.env = before
                combine = t.implies if e.op == "all" else t.and_
                done.append(combine(t.and_(*tests), inner))
            return t.and_(*done) if e.op == "all" else t.or_(*done)

        return go(e.binders)

    # -- calls --------------------------------------------------------------------------------

    def arguments(self, evaluator: Evaluator, e: tree.Call, f: tree.Function) -> list[Value]:
        """The arguments' values, without views."""
        done = []
        for parameter, argument in zip(f.parameters, e.arguments, strict=True):
            value = evaluator.value(argument)
            if any(leaf.view for leaf in value.leaves):
                if any(leaf.view and leaf.free for leaf in value.leaves):
                    raise refuse(
                        argument.at, "a slice or list made within a generator", "pass bounds"
                    )
                value = self.named(value, parameter.name, evaluator.state)
            done.append(value)
        return done

    def precondition(
        self, evaluator: Evaluator, e: tree.Call, f: tree.Function, env: dict[str, Value]
    ) -> None:
        """What the call obliges to: the callee's precondition, and that recursion ends."""
        if not evaluator.checking:
            return
        inner = Evaluator(self, evaluator.state, checking=False, env=env, old=env)
        for condition in f.requires:
            evaluator.need("precondition", e.at, inner.term(condition), self.text(condition.at))
        if not self.recursive(f) or self.function.partial:
            return
        if not f.measures or len(f.measures) != len(self.measures):
            raise refuse(
                e.at,
                f"recursion of {f.name} without a measure",
                "begin every function of the cycle with decreases(…), equally many measures",
                "decreases",
            )
        now = [inner.integer(m) for m in f.measures]
        self.decrease(evaluator, e.at, now, self.measures)

    def decrease(
        self, evaluator: Evaluator, at: Place, now: list[Term], before: list[Term]
    ) -> None:
        """That a measure gets smaller and was not negative."""
        if len(now) == 1:
            evaluator.need("bounded", at, t.le(t.num(0), before[0]))
            evaluator.need("decreases", at, t.lt(now[0], before[0]))
            return
        claim, equal = t.FALSE, t.TRUE
        for a, b in zip(now, before, strict=True):
            claim = t.or_(claim, t.and_(equal, t.le(t.num(0), b), t.lt(a, b)))
            equal = t.and_(equal, t.eq(a, b))
        evaluator.need("decreases", at, claim)

    def recursive(self, f: tree.Function) -> bool:
        """Whether a call of `f` from here may come back here."""
        cycles = self.module.cycles
        return cycles.get(f.name, -1) == cycles.get(self.function.name, -2)

    def call(self, evaluator: Evaluator, e: tree.Call, f: tree.Function) -> Value:
        """The value of a call that changes nothing."""
        if f.modifies:
            raise refuse(e.at, f"{f.name} modifies its arguments", "call it by itself", "effects")
        given = self.arguments(evaluator, e, f)
        env = {p.name: a for p, a in zip(f.parameters, given, strict=True)}
        self.precondition(evaluator, e, f, env)
        if f.role == "spec":
            return self.specs.apply(evaluator, f, env)
        result, _ = self.effects(evaluator, f, env)
        return result

    def effects(
        self, evaluator: Evaluator, f: tree.Function, env: dict[str, Value]
    ) -> tuple[Value, dict[str, Value]]:
        """The result of a call by contract, and the new values of what it modifies."""
        state = evaluator.state
        after = dict(env)
        for parameter in f.parameters:
            if parameter.modifies is not None:
                after[parameter.name] = self.changed(env[parameter.name], parameter, state)
        result = self.unknown(f.result, f.name.rpartition(".")[2], state)
        final = {**after, "result": result}
        inner = Evaluator(self, state, checking=False, env=final, old=env)
        for condition in f.ensures:
            evaluator.assume(inner.term(condition))
        changed = {p.name: after[p.name] for p in f.parameters if p.modifies is not None}
        return result, changed

    def changed(self, value: Value, parameter: tree.Parameter, state: State) -> Value:
        """The parameter after a call: what `modifies` names is unknown, the rest as before."""
        fresh = self.unknown(value.type, parameter.name, state)
        if not parameter.modifies:
            return fresh
        for name in parameter.modifies:
            index = v.field_index(value.type, name)
            value = v.with_part(value, index, v.part(fresh, index))
        return value

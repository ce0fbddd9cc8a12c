"""Statements: every path from the start of a function to its ends, loops cut by invariants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from certune.verifier.contracts import terms as t
from certune.verifier.contracts import tree
from certune.verifier.contracts import values as v
from certune.verifier.contracts.calls import root_of
from certune.verifier.contracts.cutting import For, While
from certune.verifier.contracts.engine import Engine
from certune.verifier.contracts.evaluate import Evaluator, inside
from certune.verifier.contracts.state import Facts, State
from certune.verifier.contracts.targets import from_expression
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.types import DictT, NoneT, Type
from certune.verifier.contracts.values import Value


@dataclass
class Flow:
    """Where paths are after a block: going on, or having jumped."""

    normal: list[State] = field(default_factory=list)
    breaks: list[State] = field(default_factory=list)
    continues: list[State] = field(default_factory=list)


class Executor:
    """Makes the claims of one function."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.function = engine.function
        self.kinds: dict[str, Type] = {
            **{p.name: p.type for p in self.function.parameters},
            **dict(self.function.locals),
        }

    def run(self) -> State:
        """All claims, into the engine; returns the state at entry."""
        state = self.start()
        begin = state.copy()
        self.engine.measures = [
            Evaluator(self.engine, state).integer(m) for m in self.function.measures
        ]
        flow = self.block(self.function.body, [state])
        for end in flow.normal:
            self.finish(end, None)
        return begin

    def start(self) -> State:
        """The state at entry: the parameters are unknown, the precondition holds."""
        state = State({}, {})
        for p in self.function.parameters:
            state.env[p.name] = self.engine.unknown(p.type, p.name, state)
        state.entry = dict(state.env)
        evaluator = Evaluator(self.engine, state)
        for condition in self.function.requires:
            state.assume(evaluator.term(condition))
        return state

    def finish(self, state: State, result: Value | None) -> None:
        """An end: the postcondition."""
        env = dict(state.entry)
        for p in self.function.parameters:
            if p.modifies is not None:
                env[p.name] = state.env[p.name]
        env["result"] = result or Value(NoneT(), ())
        evaluator = Evaluator(self.engine, state, env=env)
        for condition in self.function.ensures:
            evaluator.need("postcondition", condition.at, evaluator.term(condition))

    # -- blocks -------------------------------------------------------------------------------

    def block(self, body: Sequence[tree.Stmt], states: list[State]) -> Flow:
        """Run the statements on every path."""
        flow = Flow(normal=states)
        for statement in body:
            current, flow.normal = flow.normal, []
            if len(current) > self.engine.limits.live_paths:
                current = [self.merge(current)]
            for state in current:
                inner = self.statement(statement, state)
                flow.normal += inner.normal
                flow.breaks += inner.breaks
                flow.continues += inner.continues
        return flow

    def statement(self, s: tree.Stmt, state: State) -> Flow:
        """Run one statement on one path."""
        if isinstance(s, tree.If):
            return self.branch(s, state)
        if isinstance(s, tree.While):
            return While(self, s).run(state)
        if isinstance(s, tree.For):
            return For(self, s).run(state)
        if isinstance(s, tree.Return):
            result = None if s.value is None else self.right(s.value, state)
            self.finish(state, result)
            return Flow()
        if isinstance(s, tree.Jump):
            return Flow(breaks=[state]) if s.op == "break" else Flow(continues=[state])
        _SIMPLE[type(s)](self, s, state)
        return Flow([state])

    def branch(self, s: tree.If, state: State) -> Flow:
        """Both ways of an `if`."""
        test = Evaluator(self.engine, state).term(s.test)
        flow = Flow()
        for outcome, term, body in ((True, test, s.body), (False, t.not_(test), s.orelse)):
            if term is t.FALSE:
                continue
            way = state.copy()
            way.assume(term)
            way.trail += (f"line {s.at.line} {'true' if outcome else 'false'}",)
            inner = self.block(body, [way])
            flow.normal += inner.normal
            flow.breaks += inner.breaks
            flow.continues += inner.continues
        return flow

    def merge(self, states: list[State]) -> State:
        """One state in place of several: what is known under the way that was taken."""
        if len(states) == 1:
            return states[0]
        known = [s.known() for s in states]
        shared = 0
        while all(len(k) > shared for k in known) and len({k[shared] for k in known}) == 1:
            shared += 1
        merged = State({}, states[0].entry, None, _common(states))
        for fact in known[0][:shared]:
            merged.facts = Facts(merged.facts, fact)
        ways = [t.const(self.engine.fresh("way"), "Bool") for _ in states]
        merged.assume(t.or_(*ways))
        for way, facts in zip(ways, known, strict=True):
            for fact in facts[shared:]:
                merged.assume(t.implies(way, fact))
        for name in states[0].env:
            if all(name in s.env for s in states):
                merged.env[name] = self._merged(name, [s.env[name] for s in states], ways, merged)
        return merged

    def _merged(self, name: str, values: list[Value], ways: list[Term], merged: State) -> Value:
        leaves = []
        for position, suffix in enumerate(v.leaf_names(values[0].type)):
            given = [value.leaves[position] for value in values]
            if len(set(given)) == 1:
                leaves.append(given[0])
                continue
            symbol = t.const(self.engine.fresh(name + suffix), given[0].sort)
            for way, leaf in zip(ways, given, strict=True):
                merged.assume(t.implies(way, t.eq(symbol, leaf)))
            if isinstance(given[0].sort, str) and given[0].sort not in ("Int", "Bool"):
                merged.assume(t.make("inrange", (symbol,), "Bool"))
            leaves.append(symbol)
        return Value(values[0].type, tuple(leaves))

    # -- simple statements --------------------------------------------------------------------

    def right(self, expr: tree.Expr, state: State) -> Value:
        """A right-hand side: a call with effects writes them back."""
        evaluator = Evaluator(self.engine, state)
        if not isinstance(expr, tree.Call):
            return evaluator.value(expr)
        f = self.engine.module.functions[expr.function]
        if not f.modifies:
            return evaluator.value(expr)
        given = self.engine.arguments(evaluator, expr, f)
        env = {p.name: a for p, a in zip(f.parameters, given, strict=True)}
        self.engine.precondition(evaluator, expr, f, env)
        result, changed = self.engine.effects(evaluator, f, env)
        for parameter, argument in zip(f.parameters, expr.arguments, strict=True):
            if parameter.name in changed and root_of(argument) is not None:
                self.set(from_expression(argument), changed[parameter.name], state)
        return result

    def assign(self, s: tree.Assign, state: State) -> None:
        """Values first, then targets from left to right."""
        done = [self.right(e, state) for e in s.values]
        if s.unpack:
            done = [v.part(done[0], k) for k in range(len(s.targets))]
        done = [
            self.engine.named(value, target.root, state)
            for value, target in zip(done, s.targets, strict=True)
        ]
        for target, value in zip(s.targets, done, strict=True):
            self.set(target, value, state)

    def set(self, target: tree.Target, value: Value, state: State) -> None:
        """Put a value in its place."""
        evaluator = Evaluator(self.engine, state)
        root = state.env.get(target.root)
        if target.steps:
            assert root is not None
            value = self._changed(root, target.steps, value, evaluator, target)
        state.env[target.root] = self.engine.named(value, target.root, state)

    def _changed(
        self,
        whole: Value,
        steps: tuple[tuple[str, str | tree.Expr], ...],
        new: Value,
        evaluator: Evaluator,
        target: tree.Target,
    ) -> Value:
        if not steps:
            return new
        (step, what), rest = steps[0], steps[1:]
        if step == "field":
            index = v.field_index(whole.type, str(what))
            inner = self._changed(v.part(whole, index), rest, new, evaluator, target)
            return v.with_part(whole, index, inner)
        assert isinstance(what, tree.Expr)
        place = evaluator.integer(what)
        if isinstance(whole.type, DictT):
            return _entered(whole, place, new)
        evaluator.need("index", target.at, inside(place, whole))
        inner = self._changed(v.element(whole, place), rest, new, evaluator, target)
        return v.with_element(whole, place, inner)

    def get(self, target: tree.Target, state: State) -> Value:
        """What is in a place."""
        evaluator = Evaluator(self.engine, state)
        value = state.env[target.root]
        for step, what in target.steps:
            if step == "field":
                value = v.part(value, v.field_index(value.type, str(what)))
            else:
                assert isinstance(what, tree.Expr)
                index = evaluator.integer(what)
                evaluator.need("index", target.at, inside(index, value))
                value = v.element(value, index)
        return value

    def update(self, s: tree.Update, state: State) -> None:
        """Methods that change their object."""
        evaluator = Evaluator(self.engine, state)
        new = (
            None if s.value is None else self.engine.named(evaluator.value(s.value), "item", state)
        )
        old = self.get(s.target, state)
        if s.op == "clear":
            self.set(s.target, v.default(old.type), state)
            return
        assert new is not None
        if s.op == "append":
            longer = v.with_element(old, old.leaves[0], new)
            length = t.add(old.leaves[0], t.num(1))
            self.set(s.target, Value(old.type, (length, *longer.leaves[1:])), state)
            return
        key = new.term if new.term.sort == "Int" else t.w2i(new.term)
        present = t.select(old.leaves[0], key)
        if s.op in ("remove", "delete"):
            evaluator.need("key", s.at, present)
        adding = s.op == "add"
        keys = t.store(old.leaves[0], key, t.truth(adding))
        delta = (
            t.ite(present, t.num(0), t.num(1)) if adding else t.ite(present, t.num(-1), t.num(0))
        )
        size = t.add(old.leaves[-1], delta)
        self.set(s.target, Value(old.type, (keys, *old.leaves[1:-1], size)), state)

    def pop(self, s: tree.Pop, state: State) -> None:
        """``xs.pop()``."""
        old = self.get(s.target, state)
        evaluator = Evaluator(self.engine, state)
        evaluator.need("pop", s.at, t.lt(t.num(0), old.leaves[0]))
        last = t.sub(old.leaves[0], t.num(1))
        taken = v.element(old, last)
        self.set(s.target, Value(old.type, (last, *old.leaves[1:])), state)
        if s.into is not None:
            self.set(s.into, taken, state)

    def do(self, s: tree.Do, state: State) -> None:
        """A call as a statement."""
        self.right(s.call, state)

    def asserted(self, s: tree.Assert, state: State) -> None:
        """``assert p``."""
        evaluator = Evaluator(self.engine, state)
        evaluator.need("assertion", s.at, evaluator.term(s.test))


def _entered(whole: Value, key: Term, new: Value) -> Value:
    present = t.select(whole.leaves[0], key)
    arrays = tuple(
        t.store(a, key, leaf) for a, leaf in zip(whole.leaves[1:-1], new.leaves, strict=True)
    )
    size = t.add(whole.leaves[-1], t.ite(present, t.num(0), t.num(1)))
    return Value(whole.type, (t.store(whole.leaves[0], key, t.TRUE), *arrays, size))


def _common(states: list[State]) -> tuple[str, ...]:
    trail = states[0].trail
    for s in states[1:]:
        count = 0
        while count < min(len(trail), len(s.trail)) and trail[count] == s.trail[count]:
            count += 1
        trail = trail[:count]
    return (*trail, f"any of {len(states)} ways")


_SIMPLE: dict[type[tree.Stmt], Callable[[Executor, Any, State], None]] = {
    tree.Assign: Executor.assign,
    tree.Update: Executor.update,
    tree.Pop: Executor.pop,
    tree.Do: Executor.do,
    tree.Assert: Executor.asserted,
}

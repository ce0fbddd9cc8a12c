"""Loops: established, kept, ended. What they change is unknown but for the invariants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certune.verifier.contracts import terms as t
from certune.verifier.contracts import tree
from certune.verifier.contracts import values as v
from certune.verifier.contracts.evaluate import Evaluator
from certune.verifier.contracts.report import Kind
from certune.verifier.contracts.state import State
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.touched import touched
from certune.verifier.contracts.types import INT, ListT
from certune.verifier.contracts.values import Value

if TYPE_CHECKING:
    from certune.verifier.contracts.execute import Executor, Flow


class Loop:
    """What `while` and `for` have in common."""

    def __init__(self, executor: Executor, loop: tree.While | tree.For) -> None:
        self.executor = executor
        self.engine = executor.engine
        self.loop = loop

    def invariants(self, state: State, kind: Kind) -> None:
        """Claim every invariant, each with those before it known."""
        for condition in self.loop.invariants:
            evaluator = Evaluator(self.engine, state)
            evaluator.need(kind, condition.at, evaluator.term(condition))

    def assumed(self, state: State) -> None:
        """The invariants are known."""
        for condition in self.loop.invariants:
            evaluator = Evaluator(self.engine, state, checking=False)
            evaluator.assume(evaluator.term(condition))

    def head(self, state: State) -> State:
        """Any iteration: what the body may change is unknown."""
        head = state.copy()
        changed = touched(self.loop.body, self.executor.kinds, self.engine.module.functions)
        for name, positions in sorted(changed.items()):
            value = head.env.get(name)
            if value is None:
                continue
            fresh = self.engine.unknown(value.type, name, State({}, {}))
            leaves = tuple(
                new if k in positions else old
                for k, (old, new) in enumerate(zip(value.leaves, fresh.leaves, strict=True))
            )
            head.env[name] = Value(value.type, leaves)
            # Of what is new alone: arrays that were defined may hold anything beyond their length.
            new = {leaf for k, leaf in enumerate(fresh.leaves) if k in positions}
            for fact in v.well_formed(fresh, self.engine.fresh):
                if any(s in new for s in t.subterms([fact])):
                    head.assume(fact)
        head.trail += (f"in the loop of line {self.loop.at.line}",)
        return head


class While(Loop):
    """``while c:``."""

    loop: tree.While

    def run(self, state: State) -> Flow:
        """The paths after the loop."""
        from certune.verifier.contracts.execute import Flow

        self.invariants(state, "invariant-entry")
        head = self.head(state)
        self.assumed(head)
        test = Evaluator(self.engine, head).term(self.loop.test)
        after = head.copy()
        after.trail = (*state.trail, f"after the loop of line {self.loop.at.line}")
        after.assume(t.not_(test))
        body = head
        body.assume(test)
        evaluator = Evaluator(self.engine, body)
        before = [evaluator.integer(m) for m in self.loop.measures]
        flow = self.executor.block(self.loop.body, [body])
        for end in [*flow.normal, *flow.continues]:
            self.invariants(end, "invariant-kept")
            if before and not self.engine.function.partial:
                inner = Evaluator(self.engine, end)
                now = [inner.integer(m) for m in self.loop.measures]
                self.engine.decrease(inner, self.loop.measures[0].at, now, before)
        ends = [] if test is t.TRUE else [after]
        return Flow(normal=ends + flow.breaks)


class For(Loop):
    """``for i in range(low, high, step)``, and over the elements of a list."""

    loop: tree.For

    def run(self, state: State) -> Flow:
        """The paths after the loop."""
        from certune.verifier.contracts.execute import Flow

        loop, evaluator = self.loop, Evaluator(self.engine, state)
        low, high = evaluator.integer(loop.low), evaluator.integer(loop.high)
        first = state.copy()
        first.env[loop.name] = Value(INT, (low,))
        self.invariants(first, "invariant-entry")
        head = self.head(first)
        index = t.const(self.engine.fresh(loop.name), "Int")
        head.env[loop.name] = Value(INT, (index,))
        for fact in _between(low, index, high, loop.step):
            head.assume(fact)
        self.assumed(head)
        going = t.lt(index, high) if loop.step > 0 else t.lt(high, index)
        after = head.copy()
        after.trail = (*state.trail, f"after the loop of line {loop.at.line}")
        after.assume(t.not_(going))
        head.assume(going)
        if loop.element and loop.source is not None:
            listed = Evaluator(self.engine, head, checking=False).value(loop.source)
            assert isinstance(listed.type, ListT)
            head.env[loop.element] = v.element(listed, index)
        flow = self.executor.block(loop.body, [head])
        for end in [*flow.normal, *flow.continues]:
            end.env[loop.name] = Value(INT, (t.add(index, t.num(loop.step)),))
            self.invariants(end, "invariant-kept")
        ends = [after, *flow.breaks]
        for end in ends:
            end.env.pop(loop.name, None)
            end.env.pop(loop.element, None)
        return Flow(normal=ends)


def _between(low: Term, index: Term, high: Term, step: int) -> list[Term]:
    """Where the index of a `range` is when its end is looked for."""
    if step == 1:
        return [t.le(low, index), t.or_(t.le(index, high), t.eq(index, low))]
    if step == -1:
        return [t.le(index, low), t.or_(t.le(high, index), t.eq(index, low))]
    size = t.num(abs(step))
    gone = t.sub(index, low) if step > 0 else t.sub(low, index)
    reach = t.add(t.sub(high, low) if step > 0 else t.sub(low, high), t.num(abs(step) - 1))
    return [
        t.le(t.num(0), gone),
        t.eq(t.fmod(gone, size), t.num(0)),
        t.or_(t.le(gone, reach), t.eq(index, low)),
    ]

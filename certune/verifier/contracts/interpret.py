"""A definitional interpreter of the typed tree: what the language means, said a second time.

It shares nothing with the translation to formulas, so that each can be tested against the
other. It checks every obligation while it runs, and stops after a given number of steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from certune.verifier.contracts import tree
from certune.verifier.contracts.data import copied, to_json
from certune.verifier.contracts.interpret_expr import Expressions
from certune.verifier.contracts.report import Place, Step
from certune.verifier.contracts.stops import Broken, Stuck
from certune.verifier.contracts.types import DictT, SetT

_KEPT_STEPS = 40
_DEEPEST = 60
_SURELY = 100  # iterations before it is asked whether a loop gets anywhere


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value
        super().__init__()


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Interpreter(Expressions):
    """Runs functions of a module.

    With `annotations`, ghost code runs and invariants, measures and asserts are checked;
    without, they are passed over, as after erasure. Contracts are checked in any case.
    """

    def __init__(
        self,
        module: tree.Module,
        *,
        steps: int,
        annotations: bool = True,
        contracts: bool = True,
    ) -> None:
        super().__init__(module, steps)
        self.annotations = annotations
        self.contracts = contracts
        self.trace: deque[Step] = deque(maxlen=_KEPT_STEPS)
        self.depth = 0
        self.tracing = False
        self.watch: Callable[[int], None] | None = None
        self.measures: list[tuple[str, tuple[int, ...]]] = []

    def accepts(self, function: tree.Function, arguments: Mapping[str, Any]) -> bool:
        """Whether the arguments satisfy the precondition (an undefined one they do not)."""
        try:
            with self.frame(dict(arguments), dict(arguments)):
                return all(self.value(c) is True for c in function.requires)
        except Broken:
            return False

    def run(self, function: tree.Function, arguments: Mapping[str, Any]) -> Any:
        """Call a function with arguments that it may change; the precondition is not checked.

        Raises:
            Broken: something that must hold does not.
            Stuck: it takes too many steps or makes too large numbers.
        """
        if self.depth > _DEEPEST:
            raise Stuck("too deep")
        self.depth += 1
        entry = {name: copied(value) for name, value in arguments.items()}
        try:
            with self.frame(dict(arguments), entry):
                self.enter(function)
                try:
                    self.block(function.body)
                    result = None
                except _Return as returned:
                    result = returned.value
                finally:
                    self.leave(function)
            if self.contracts:
                self.check_end(function, arguments, entry, result)
            return result
        finally:
            self.depth -= 1

    def enter(self, function: tree.Function) -> None:
        """Remember the measure with which a function begins."""
        if function.measures and self.annotations:
            measure = tuple(self.value(m) for m in function.measures)
            self.check_recursion(function, measure)
            self.measures.append((function.name, measure))

    def leave(self, function: tree.Function) -> None:
        """Forget it."""
        if function.measures and self.annotations:
            self.measures.pop()

    def check_recursion(self, function: tree.Function, measure: tuple[int, ...]) -> None:
        """A call within the same cycle has a smaller measure."""
        group = self.module.cycles.get(function.name)
        for name, before in reversed(self.measures):
            if self.module.cycles.get(name) == group:
                if not _smaller(measure, before):
                    raise Broken("decreases", function.measures[0].at, "annotation")
                return

    def check_end(
        self,
        function: tree.Function,
        arguments: Mapping[str, Any],
        entry: dict[str, Any],
        result: Any,
    ) -> None:
        """The postcondition holds."""
        env = dict(entry)
        for p in function.parameters:
            if p.modifies is not None:
                env[p.name] = arguments[p.name]
        env["result"] = result
        with self.frame(env, entry):
            for condition in function.ensures:
                if self.value(condition) is not True:
                    self.broken("postcondition", condition.at)

    def call(self, e: tree.Call) -> Any:
        """A call in an expression or statement."""
        function = self.module.functions[e.function]
        arguments = {
            p.name: self.value(a) for p, a in zip(function.parameters, e.arguments, strict=True)
        }
        if self.contracts:
            with self.frame(arguments, arguments):
                for condition in function.requires:
                    if self.value(condition) is not True:
                        blames: Literal["program", "annotation"] = (
                            "annotation" if function.role == "lemma" or self.quiet else "program"
                        )
                        self.broken("precondition", e.at, blames)
        if function.role == "spec":
            return self.pure(function, arguments)
        return self.run(function, arguments)

    def pure(self, function: tree.Function, arguments: dict[str, Any]) -> Any:
        """A specification function's value."""
        if self.depth > _DEEPEST:
            raise Stuck("too deep")
        self.depth += 1
        tracing, self.tracing = self.tracing, False
        try:
            with self.frame(dict(arguments), arguments):
                self.enter(function)
                try:
                    self.block(function.body)
                except _Return as returned:
                    return returned.value
                finally:
                    self.leave(function)
        finally:
            self.depth -= 1
            self.tracing = tracing
        raise Stuck("a specification function without result")

    # -- statements ---------------------------------------------------------------------------

    def block(self, body: Sequence[tree.Stmt]) -> None:
        """Run statements in order."""
        for statement in body:
            if statement.ghost and not self.annotations:
                continue
            self.tick()
            if self.tracing and self.depth == 1:
                self.trace.append(self.step(statement.at))
            before, self.quiet = self.quiet, self.quiet or statement.ghost
            try:
                _STATEMENTS[type(statement)](self, statement)
            finally:
                self.quiet = before

    def step(self, at: Place) -> Step:
        """The values before a line."""
        return Step(at.line, {n: to_json(v) for n, v in self.env.items() if "'" not in n})

    def _assign(self, s: tree.Assign) -> None:
        values = [self.value(v) for v in s.values]
        if s.unpack:
            values = list(values[0])
        for target, value in zip(s.targets, values, strict=True):
            self.put(target, value)

    def container(self, target: tree.Target) -> tuple[Any, tuple[str, Any]]:
        """What holds the target, and the last step to it."""
        here = self.env[target.root]
        for step, what in target.steps[:-1]:
            here = self.go(here, step, what, target.at)
        step, what = target.steps[-1]
        return here, (step, what if step == "field" else self.value(_expr(what)))

    def go(self, here: Any, step: str, what: Any, at: Place) -> Any:
        """One step into a value."""
        if step == "field":
            return here.fields[what]
        place = self.value(what)
        if step == "index":
            if not 0 <= place < len(here):
                self.broken("index", at)
        elif place not in here:
            self.broken("key", at)
        return here[place]

    def get(self, target: tree.Target) -> Any:
        """What is in a place."""
        here = self.env[target.root]
        for step, what in target.steps:
            here = self.go(here, step, what, target.at)
        return here

    def put(self, target: tree.Target, value: Any) -> None:
        """Put a value in its place."""
        if not target.steps:
            self.env[target.root] = value
            return
        here, (step, what) = self.container(target)
        if step == "field":
            here.fields[what] = value
            return
        if step == "index" and not 0 <= what < len(here):
            self.broken("index", target.at)
        here[what] = value

    def _update(self, s: tree.Update) -> None:
        value = None if s.value is None else self.value(s.value)
        here = self.get(s.target)
        if s.op == "clear":
            here.clear()
        elif s.op == "append":
            if len(here) > 10_000:
                raise Stuck("a very long list")
            here.append(value)
        elif s.op == "add":
            here.add(value)
        elif s.op == "discard":
            here.discard(value)
        else:
            if value not in here:
                self.broken("key", s.at)
            if isinstance(s.target.type, DictT):
                del here[value]
            else:
                assert isinstance(s.target.type, SetT)
                here.remove(value)

    def _pop(self, s: tree.Pop) -> None:
        here = self.get(s.target)
        if not here:
            self.broken("pop", s.at)
        value = here.pop()
        if s.into is not None:
            self.put(s.into, value)

    def _do(self, s: tree.Do) -> None:
        self.call(s.call)

    def _asserted(self, s: tree.Assert) -> None:
        if self.value(s.test) is not True:
            self.broken("assertion", s.at, "annotation")

    def _branch(self, s: tree.If) -> None:
        self.block(s.body if self.value(s.test) else s.orelse)

    def invariants(self, loop: tree.While | tree.For, kind: str) -> None:
        """The loop's invariants hold now."""
        if self.watch is not None:
            self.watch(loop.at.line)
        if not self.annotations:
            return
        before, self.quiet = self.quiet, True
        try:
            for condition in loop.invariants:
                if self.value(condition) is not True:
                    self.broken(kind, condition.at, "annotation")
        finally:
            self.quiet = before

    def _while_(self, s: tree.While) -> None:
        self.invariants(s, "invariant-entry")
        seen: set[str] = set()
        rounds = 0
        while self.value(s.test):
            self.tick()
            rounds += 1
            if rounds > _SURELY:
                self.check_progress(s, seen)
            before = self.measured(s)
            try:
                self.block(s.body)
            except _Break:
                return
            except _Continue:
                pass
            self.invariants(s, "invariant-kept")
            after = self.measured(s)
            if before is not None and after is not None and not _smaller(after, before):
                self.broken("decreases", s.measures[0].at, "annotation")

    def check_progress(self, s: tree.While, seen: set[str]) -> None:
        """The same values at the same head: the loop never ends."""
        now = repr(sorted(self.env.items()))
        if now in seen:
            self.broken("termination", s.at)
        seen.add(now)

    def measured(self, s: tree.While) -> tuple[int, ...] | None:
        """The loop's measures now."""
        if not self.annotations or not s.measures:
            return None
        return tuple(self.value(m) for m in s.measures)

    def _for_(self, s: tree.For) -> None:
        low, high = self.value(s.low), self.value(s.high)
        source = self.value(s.source) if s.source is not None else None
        index = low
        self.env[s.name] = index
        self.invariants(s, "invariant-entry")
        while index < high if s.step > 0 else index > high:
            self.tick()
            self.env[s.name] = index
            if s.element and source is not None:
                self.env[s.element] = source[index]
            try:
                self.block(s.body)
            except _Break:
                return
            except _Continue:
                pass
            index += s.step
            self.env[s.name] = index
            self.invariants(s, "invariant-kept")

    def _ret(self, s: tree.Return) -> None:
        raise _Return(None if s.value is None else self.value(s.value))

    def _jump(self, s: tree.Jump) -> None:
        raise _Break if s.op == "break" else _Continue


def _smaller(now: tuple[int, ...], before: tuple[int, ...]) -> bool:
    """Lexicographically smaller at a place where the measure before was not negative."""
    for a, b in zip(now, before, strict=False):
        if a < b:
            return b >= 0
        if a > b:
            return False
    return False


def _expr(what: Any) -> tree.Expr:
    assert isinstance(what, tree.Expr)
    return what


_STATEMENTS: dict[type[tree.Stmt], Callable[[Interpreter, Any], None]] = {
    tree.Assign: Interpreter._assign,
    tree.Update: Interpreter._update,
    tree.Pop: Interpreter._pop,
    tree.Do: Interpreter._do,
    tree.Assert: Interpreter._asserted,
    tree.If: Interpreter._branch,
    tree.While: Interpreter._while_,
    tree.For: Interpreter._for_,
    tree.Return: Interpreter._ret,
    tree.Jump: Interpreter._jump,
}

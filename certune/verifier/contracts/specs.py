"""Specification functions in formulas: unfolded where not recursive, else by axioms with fuel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certune.verifier.contracts import terms as t
from certune.verifier.contracts import tree
from certune.verifier.contracts import values as v
from certune.verifier.contracts.evaluate import Evaluator
from certune.verifier.contracts.state import Axiom, Definition, State
from certune.verifier.contracts.terms import Term
from certune.verifier.contracts.values import Value

if TYPE_CHECKING:
    from certune.verifier.contracts.engine import Engine

_MAX_SIZE = 200_000


class TooLarge(Exception):
    """A formula grows beyond what is sensible."""


class Specs:
    """The specification functions that one function's conditions mention."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.definitions: dict[str, Definition] = {}
        self._unfolded: dict[tuple[str, tuple[Term, ...]], Value] = {}

    def apply(self, evaluator: Evaluator, f: tree.Function, env: dict[str, Value]) -> Value:
        """The value of a specification function; its postcondition is known."""
        leaves = tuple(leaf for p in f.parameters for leaf in env[p.name].leaves)
        if f.name in recursive_names(self.engine.module):
            value = self._application(f, leaves, "")
            self._define(f)
            known = self.engine.recursive(f)
        else:
            value = self._unfold(f, env, leaves)
            known = True
        if known and f.ensures:
            final = {**env, "result": value}
            inner = Evaluator(self.engine, evaluator.state, checking=False, env=final, old=env)
            for condition in f.ensures:
                evaluator.assume(inner.term(condition))
        return value

    def _application(self, f: tree.Function, leaves: tuple[Term, ...], level: str) -> Value:
        return Value(
            f.result,
            tuple(
                t.app(f"{f.name}#{k}{level}", leaves, sort)
                for k, sort in enumerate(v.sorts(f.result))
            ),
        )

    def _unfold(self, f: tree.Function, env: dict[str, Value], leaves: tuple[Term, ...]) -> Value:
        key = (f.name, leaves)
        if key not in self._unfolded:
            made = self.body(f, env)
            if sum(leaf.size for leaf in made.leaves) > _MAX_SIZE:
                raise TooLarge
            self._unfolded[key] = made
        return self._unfolded[key]

    def body(self, f: tree.Function, env: dict[str, Value]) -> Value:
        """The value of the body, its branches as choices."""
        silent = State(dict(env), env)
        value = self._block(f.body, Evaluator(self.engine, silent, checking=False))
        assert value is not None
        return value

    def _block(self, body: tuple[tree.Stmt, ...], evaluator: Evaluator) -> Value | None:
        for number, statement in enumerate(body):
            if isinstance(statement, tree.Return):
                assert statement.value is not None
                return evaluator.value(statement.value)
            if isinstance(statement, tree.Assign):
                done = [evaluator.value(e) for e in statement.values]
                if statement.unpack:
                    done = [v.part(done[0], k) for k in range(len(statement.targets))]
                evaluator.env = dict(evaluator.env)
                for target, value in zip(statement.targets, done, strict=True):
                    evaluator.env[target.root] = value
            if isinstance(statement, tree.If):
                rest = body[number + 1 :]
                test = evaluator.term(statement.test)
                before = evaluator.env
                if not (_returns(statement.body) or _returns(statement.orelse)):
                    self._block(statement.body, evaluator)
                    yes_env, evaluator.env = evaluator.env, before
                    self._block(statement.orelse, evaluator)
                    evaluator.env = _merged(test, yes_env, evaluator.env)
                    continue
                yes = self._block((*statement.body, *rest), evaluator)
                evaluator.env = before
                no = self._block((*statement.orelse, *rest), evaluator)
                evaluator.env = before
                if yes is None or no is None:
                    return yes or no
                return v.choose(test, yes, no)
        return None

    def _define(self, f: tree.Function) -> None:
        """Axioms of a recursive function, unless its own proof is what is being made."""
        names = [f"{f.name}#{k}" for k in range(len(v.sorts(f.result)))]
        if names[0] in self.definitions:
            return
        for name in names:
            self.definitions[name] = Definition(name)
        if self.engine.recursive(f):
            return
        env: dict[str, Value] = {}
        variables: list[Term] = []
        for p in f.parameters:
            leaves = tuple(
                t.bound(f"{p.name}{suffix}", sort)
                for suffix, sort in zip(v.leaf_names(p.type), v.sorts(p.type), strict=True)
            )
            env[p.name] = Value(p.type, leaves)
            variables.extend(leaves)
        guard = self._guard(f, env)
        arguments = tuple(variables)
        body = self.body(f, env)
        axioms: dict[str, list[Axiom]] = {name: [] for name in names}
        for upper, lower in (("", ".1"), (".1", ".0")):
            whole = self._application(f, arguments, upper)
            below = self._application(f, arguments, lower)
            for name, one, two, leaf in zip(
                names, whole.leaves, below.leaves, body.leaves, strict=True
            ):
                unfolded = t.eq(one, lowered(leaf, self.engine.module, lower))
                claim = t.and_(t.eq(one, two), t.implies(guard, unfolded))
                axioms[name].append(Axiom(arguments, claim, ((one,),)))
        if f.ensures:
            ground = self._application(f, arguments, ".0")
            inner = Evaluator(
                self.engine,
                State({}, {}),
                checking=False,
                env={**env, "result": ground},
                old=env,
            )
            known = t.and_(*(inner.term(c) for c in f.ensures))
            patterns = tuple((leaf,) for leaf in ground.leaves)
            axioms[names[0]].append(Axiom(arguments, t.implies(guard, known), patterns))
        for name in names:
            self.definitions[name] = Definition(name, tuple(axioms[name]))

    def _guard(self, f: tree.Function, env: dict[str, Value]) -> Term:
        """The precondition, and what the types say: outside of it nothing is known."""
        inner = Evaluator(self.engine, State({}, {}), checking=False, env=env, old=env)
        typed: list[Term] = []
        for p in f.parameters:
            typed.extend(v.well_formed(env[p.name], self.engine.fresh))
        return t.and_(*typed, *(inner.term(c) for c in f.requires))


def _returns(body: tuple[tree.Stmt, ...]) -> bool:
    """Whether there is a `return` in it."""
    return any(
        isinstance(s, tree.Return)
        or (isinstance(s, tree.If) and (_returns(s.body) or _returns(s.orelse)))
        for s in body
    )


def _merged(test: Term, yes: dict[str, Value], no: dict[str, Value]) -> dict[str, Value]:
    """The variables after both ways of an `if`."""
    return {
        name: value if no[name] is value else v.choose(test, value, no[name])
        for name, value in yes.items()
        if name in no
    }


def recursive_names(module: tree.Module) -> frozenset[str]:
    """The functions that may call themselves, directly or not."""
    groups: dict[int, list[str]] = {}
    for name, group in module.cycles.items():
        groups.setdefault(group, []).append(name)
    return frozenset(
        name
        for members in groups.values()
        for name in members
        if len(members) > 1 or name in module.functions[name].calls
    )


def lowered(term: Term, module: tree.Module, level: str) -> Term:
    """The term with recursive specification functions at a lower fuel."""
    done: dict[Term, Term] = {}

    def go(one: Term) -> Term:
        found = done.get(one)
        if found is None:
            args = tuple(go(a) for a in one.args)
            if one.op == "app" and "#" in one.data and not one.data.endswith((".0", ".1")):
                found = t.make("app", args, one.sort, one.data + level)
            else:
                found = t.rebuild(one, args)
            done[one] = found
        return found

    return go(term)

"""The claims that together show a family right, made from its description alone.

Each is of the form: for all values of some variables, the hypotheses imply the goal. By
induction over the steps they give: before each step of each phase, a rank for which `holds` is
true of a chunk holds it with exactly the contributions of `contributes`, no send breaks a rule,
and at the end every rank holds what the collective asks for. docs/parametric.md has the argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from certune.tasks.collective.parametric.description import STEP
from certune.tasks.collective.parametric.expression import (
    FALSE,
    TRUE,
    Term,
    all_of,
    any_of,
    equal,
    integer,
    name,
    negation,
    substitute,
)
from certune.tasks.collective.parametric.model import Axis, Model, Rule, Stage, same


@dataclass(frozen=True)
class Claim:
    """For all parameters and all `variables` in their ranges: `hypotheses` imply `goal`.

    `says` is the claim in words; `place` the phase that it is about.
    """

    name: str
    says: str
    variables: tuple[Axis, ...]
    hypotheses: tuple[Term, ...]
    goal: Term
    place: str = field(default="")


def claims(model: Model) -> tuple[Claim, ...]:
    """All claims of a family, in the order in which a reader would want them.

    Raises:
        InvalidInput: an expression grows too large.
    """
    found = [_shape(model)]
    for number, stage in enumerate(model.stages):
        found.extend(_Phase(model, stage).claims())
        if number + 1 < len(model.stages):
            found.append(_junction(model, stage, model.stages[number + 1]))
    found.insert(1, _start(model))
    found.append(_end(model))
    return tuple(claim for claim in found if claim.goal != TRUE)


def at_step(term: Term, step: Term) -> Term:
    """An invariant at another step."""
    return substitute(term, {STEP: step})


def exponents(terms: Iterable[Term]) -> tuple[Term, ...]:
    """The exponents of all powers in `terms`."""
    return tuple(dict.fromkeys(t.args[0] for term in terms for t in term.walk() if t.op == "pow2"))


def _at_least(value: Term, least: int) -> Term:
    return Term(">=", (value, integer(least)))


def _shape(model: Model) -> Claim:
    counts = [axis.count for axis in (*model.ranks, *model.chunks)]
    steps = [stage.steps for stage in model.stages]
    goal = all_of(
        *(_at_least(e, 0) for e in exponents((*counts, *steps))),
        *(_at_least(count, 1) for count in counts),
        *(_at_least(count, 0) for count in steps),
    )
    says = "there are ranks, chunks and steps for every value of the parameters"
    return Claim("shape", says, (), (), goal)


def _start(model: Model) -> Claim:
    first = model.stages[0]
    step = integer(0)
    goal = all_of(model.before, equal(at_step(first.contributes, step), model.before_of))
    return Claim(
        "start",
        "what the invariant says before the first step is what each rank has at the start",
        (*model.ranks, *model.chunks, *model.origin),
        (at_step(first.holds, step),),
        goal,
        first.name,
    )


def _junction(model: Model, before: Stage, after: Stage) -> Claim:
    goal = all_of(
        at_step(before.holds, before.steps),
        equal(at_step(before.contributes, before.steps), at_step(after.contributes, integer(0))),
    )
    return Claim(
        f"{after.name}/start",
        f"what phase {before.name} ends with is what phase {after.name} begins with",
        (*model.ranks, *model.chunks, *model.origin),
        (at_step(after.holds, integer(0)),),
        goal,
        after.name,
    )


def _end(model: Model) -> Claim:
    last = model.stages[-1]
    goal = all_of(
        at_step(last.holds, last.steps),
        equal(at_step(last.contributes, last.steps), model.after_of),
    )
    return Claim(
        "end",
        "after the last step each rank holds what the collective asks for",
        (*model.ranks, *model.chunks, *model.origin),
        (model.after,),
        goal,
        last.name,
    )


class _Phase:
    """The claims of one phase. `s` is a step of it; the invariant is also read at s + 1."""

    def __init__(self, model: Model, stage: Stage) -> None:
        self.model = model
        self.stage = stage
        self.step = Axis(STEP, stage.steps)
        later = Term("+", (name(STEP), integer(1)))
        self.holds_next = at_step(stage.holds, later)
        self.contributes_next = at_step(stage.contributes, later)
        self.rank = [name(axis.name) for axis in model.ranks]

    def claims(self) -> Iterator[Claim]:
        """The claims, in order."""
        yield self.defined()
        many = len(self.stage.rules) > 1
        for number, rule in enumerate(self.stage.rules):
            suffix = f"-{number}" if many else ""
            yield from self.rule(rule, suffix)
        rules = self.stage.rules
        for i, left in enumerate(rules):
            for j in range(i, len(rules)):
                suffix = f"-{i}-{j}" if many else ""
                yield self.one_writer(left, rules[j], f"one-writer{suffix}")
        yield self.kept()

    def claim(
        self, label: str, says: str, variables: Sequence[Axis], given: Iterable[Term], goal: Term
    ) -> Claim:
        kept = tuple(term for term in given if term != TRUE)
        full = f"{self.stage.name}/{label}"
        return Claim(full, says, (self.step, *variables), kept, goal, self.stage.name)

    def defined(self) -> Claim:
        stage = self.stage
        sending = [
            term
            for rule in stage.rules
            for term in (*rule.to, *rule.chunk, *rule.sender, *rule.index, rule.when)
        ]
        counts = [axis.count for rule in stage.rules for axis in rule.each]
        during = all_of(
            *(_at_least(e, 0) for e in exponents((*sending, *counts))),
            *(_at_least(count, 0) for count in counts),
        )
        always = all_of(*(_at_least(e, 0) for e in exponents((stage.holds, stage.contributes))))
        inside = Term("<", (name(STEP), stage.steps))
        goal = all_of(always, TRUE if during == TRUE else any_of(negation(inside), during))
        # The invariant is also read after the last step.
        self_step = Axis(STEP, Term("+", (stage.steps, integer(1))))
        says = "no exponent and no count is negative in any step"
        return Claim(f"{stage.name}/defined", says, (self_step,), (), goal, stage.name)

    def rule(self, rule: Rule, suffix: str) -> Iterator[Claim]:
        model, stage = self.model, self.stage
        scope = (*model.ranks, *rule.each)
        full = (*scope, *model.origin)
        there = [Term("<=", (integer(0), value)) for value in (*rule.to, *rule.chunk)] + [
            Term("<", (value, axis.count))
            for value, axis in zip(
                (*rule.to, *rule.chunk), (*model.ranks, *model.chunks), strict=True
            )
        ]
        yield self.claim(
            f"in-range{suffix}",
            "every send goes to another rank that exists and is of a chunk that exists",
            scope,
            (rule.when,),
            all_of(*there, negation(same(rule.to, self.rank))),
        )
        chunk = {axis.name: value for axis, value in zip(model.chunks, rule.chunk, strict=True)}
        moved = chunk | {a.name: value for a, value in zip(model.ranks, rule.to, strict=True)}
        yield self.claim(
            f"sender-holds{suffix}",
            "the sender holds what it sends",
            scope,
            (rule.when,),
            substitute(stage.holds, chunk),
        )
        mine = substitute(stage.contributes, chunk)
        theirs = substitute(stage.contributes, moved)
        if rule.reduce:
            yield self.claim(
                f"once{suffix}",
                "what is added to is held, and no contribution is added twice",
                full,
                (rule.when,),
                all_of(substitute(stage.holds, moved), negation(all_of(mine, theirs))),
            )
        yield self.claim(
            f"written{suffix}",
            "what a rank receives is what the invariant says of it after the step",
            full,
            (rule.when, substitute(self.holds_next, moved)),
            equal(
                substitute(self.contributes_next, moved),
                any_of(mine, theirs) if rule.reduce else mine,
            ),
        )

    def one_writer(self, left: Rule, right: Rule, label: str) -> Claim:
        """Two sends of one step that write to the same place are the same send."""
        model = self.model
        axes = (*model.ranks, *right.each)
        # No name of a description contains a tilde.
        other = {axis.name: name(f"{axis.name}~") for axis in axes}
        renamed = tuple(Axis(f"{axis.name}~", axis.count) for axis in axes)
        to, chunk = (
            tuple(substitute(value, other) for value in values)
            for values in (right.to, right.chunk)
        )
        goal: Term = FALSE
        if left is right:
            goal = same((name(axis.name) for axis in axes), (other[axis.name] for axis in axes))
        return self.claim(
            label,
            "no two sends of a step write the same chunk at the same rank",
            (*model.ranks, *left.each, *renamed),
            (
                left.when,
                substitute(right.when, other),
                same(left.to, to),
                same(left.chunk, chunk),
            ),
            goal,
        )

    def kept(self) -> Claim:
        """What nobody writes stays; the hints say who would write it."""
        model, stage = self.model, self.stage
        unwritten = [negation(self.written_by(rule)) for rule in stage.rules]
        return self.claim(
            "kept",
            "what a rank holds after a step without receiving it, it held before",
            (*model.ranks, *model.chunks, *model.origin),
            (self.holds_next, *unwritten),
            all_of(stage.holds, equal(self.contributes_next, stage.contributes)),
        )

    def written_by(self, rule: Rule) -> Term:
        """That the rank and index values that the hints name send the chunk at hand here."""
        model = self.model
        ranges = [*model.ranks, *rule.each]
        values = [*rule.sender, *rule.index]
        witness = {axis.name: value for axis, value in zip(ranges, values, strict=True)}
        inside = [
            part
            for axis, value in zip(ranges, values, strict=True)
            for part in (Term("<=", (integer(0), value)), Term("<", (value, axis.count)))
        ]
        return all_of(
            *inside,
            substitute(rule.when, witness),
            same((substitute(value, witness) for value in rule.to), self.rank),
            same(
                (substitute(value, witness) for value in rule.chunk),
                (name(axis.name) for axis in model.chunks),
            ),
        )

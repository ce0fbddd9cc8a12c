"""A claim as a query: the goal negated and skolemised, definitions, instances."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from certune.core.proof import Query
from certune.verifier.contracts import terms as t
from certune.verifier.contracts.smtlib import Mode, Writer
from certune.verifier.contracts.state import Axiom, Claim, Definition
from certune.verifier.contracts.terms import Term

_MAX_INSTANCES = 240
_MAX_CANDIDATES = 14


def assertions(claim: Claim) -> list[Term]:
    """What is unsatisfiable if the claim holds: the facts, and the goal's negation."""
    done: list[Term] = []
    count = [0]

    def skolem(variables: tuple[Term, ...]) -> dict[Term, Term]:
        made = {}
        for v in variables:
            made[v] = t.const(f"sk.{v.data.partition('!')[0]}!{count[0]}", v.sort)
            count[0] += 1
        return made

    def known(fact: Term) -> None:
        if fact.op == "and":
            for part in fact.args:
                known(part)
        elif fact.op == "exists":
            known(t.substitute(fact.args[0], skolem(fact.data)))
        elif fact.op == "not":
            wrong(fact.args[0])
        elif fact is not t.TRUE:
            done.append(fact)

    def wrong(goal: Term) -> None:
        if goal.op == "forall":
            wrong(t.substitute(goal.args[0], skolem(goal.data)))
        elif goal.op == "=>":
            known(goal.args[0])
            wrong(goal.args[1])
        elif goal.op == "or":
            for part in goal.args:
                wrong(part)
        elif goal.op == "not":
            known(goal.args[0])
        elif goal.op == "exists":
            done.append(t.forall(goal.data, t.not_(goal.args[0])))
        else:
            done.append(t.not_(goal))

    for fact in claim.facts:
        known(fact)
    wrong(claim.goal)
    return list(dict.fromkeys(done))


def query(
    claim: Claim,
    definitions: Mapping[str, Definition],
    *,
    mode: Mode,
    limit: int,
    instances: bool = False,
    extra: bool = False,
) -> Query:
    """The text that is unsatisfiable if the claim holds.

    Raises:
        TooLong: the text is longer than `limit` bytes.
    """
    facts = assertions(claim)
    if instances:
        facts = facts + ground_instances(facts)
    axioms = _axioms(facts, definitions, extra)
    writer = Writer(mode, limit)
    writer.count([*facts, *(a.body for a in axioms)])
    for axiom in axioms:
        writer.axiom(axiom)
    for fact in facts:
        writer.claim(fact)
    return Query("smtlib2", writer.script())


def _axioms(facts: list[Term], definitions: Mapping[str, Definition], extra: bool) -> list[Axiom]:
    done: list[Axiom] = []
    seen: set[str] = set()
    todo = _functions(facts)
    while todo:
        name = todo.pop(0)
        if name in seen or name not in definitions:
            continue
        seen.add(name)
        found = definitions[name].axioms + (definitions[name].extra if extra else ())
        done.extend(found)
        todo.extend(_functions([a.body for a in found]))
    return done


def _functions(roots: list[Term]) -> list[str]:
    names = []
    for term in t.subterms(roots):
        if term.op == "app":
            name = term.data
            for level in (".0", ".1", ".differ"):
                name = name.removesuffix(level)
            names.append(name)
    return list(dict.fromkeys(names))


def ground_instances(facts: list[Term]) -> list[Term]:
    """Instances of the quantified facts at the indices that occur and at skolem constants."""
    ground: dict[Term, None] = {}
    for term in t.subterms(facts):
        if term.op == "select" and not term.args[1].free:
            ground[term.args[1]] = None
        elif term.op == "const" and term.data.startswith("sk.") and term.sort == "Int":
            ground[term] = None
        elif term.op == "app" and not term.free:
            for a in term.args:
                if a.sort == "Int":
                    ground[a] = None
    candidates = sorted(ground, key=lambda c: (not _skolem(c), c.size))[:_MAX_CANDIDATES]
    done: dict[Term, None] = {}
    for fact in facts:
        if fact.op != "forall" or len(fact.data) > 3:
            continue
        choices = [candidates if v.sort == "Int" else [] for v in fact.data]
        offsets = _offsets(fact)
        for chosen in product(*choices):
            if len(done) >= _MAX_INSTANCES:
                break
            made = t.substitute(fact.args[0], dict(zip(fact.data, chosen, strict=True)))
            done[made] = None
        if len(fact.data) == 1:
            for offset in offsets:
                for c in candidates:
                    if len(done) >= _MAX_INSTANCES:
                        break
                    place = t.sub(c, t.num(offset))
                    done[t.substitute(fact.args[0], {fact.data[0]: place})] = None
    return [d for d in done if d is not t.TRUE and d.op != "forall"]


def _skolem(term: Term) -> bool:
    return any(s.op == "const" and s.data.startswith("sk.") for s in t.subterms([term]))


def _offsets(fact: Term) -> list[int]:
    """The numbers that are added to the variable in indices."""
    found = set()
    for term in t.subterms([fact.args[0]]):
        if term.op == "select" and term.args[1].op == "+":
            last = term.args[1].args[-1]
            if last.op == "int" and len(term.args[1].args) == 2:
                found.add(last.data)
    return sorted(found)[:3]

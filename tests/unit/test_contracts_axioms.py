"""The axioms of sums and counts follow from the recursive definition, by induction on the end.

Each axiom that `sums` gives for a sum with an arbitrary body is shown to hold for an empty
range, and for a range if it holds for the range that is shorter by one at its end. The fuel
(``.0``, ``.1``) is dropped: all levels are the one function.
"""

from __future__ import annotations

from itertools import count

import pytest
from contract_tools import pool

from certune.core.proof import Query
from certune.verifier.contracts import terms as t
from certune.verifier.contracts.pool import Request
from certune.verifier.contracts.smtlib import Writer
from certune.verifier.contracts.state import Axiom
from certune.verifier.contracts.sums import Sums
from certune.verifier.contracts.terms import Term

INT_ARRAY = ("Array", "Int")


def one_function(term: Term) -> Term:
    """The term with one function in place of its levels of fuel."""
    args = tuple(one_function(a) for a in term.args)
    if term.op == "app":
        return t.make("app", args, term.sort, term.data.removesuffix(".0").removesuffix(".1"))
    return t.rebuild(term, args)


def unskolemised(claim: Term) -> Term:
    """The place where two sums differ: some place, where the axiom has a function of it."""
    places = [s for s in t.subterms([claim]) if s.op == "app" and s.data.endswith(".differ")]
    if not places:
        return claim
    place = t.bound("place", "Int")

    def go(term: Term) -> Term:
        if term is places[0]:
            return place
        return t.rebuild(term, tuple(go(a) for a in term.args))

    return t.exists((place,), go(claim))


def sums(kind: str) -> tuple[list[Axiom], str]:
    numbers = count()
    made = Sums(lambda name: f"{name}!{next(numbers)}")
    array, key, i = t.const("a!0", INT_ARRAY), t.const("k!0", "Int"), t.bound("i!0", "Int")
    read = t.select(array, i)
    if kind == "count":
        body = t.ite(t.eq(read, key), t.num(1), t.num(0))
    else:
        body = t.app("anything", (read, key, i), "Int")
    made.apply(i, body, t.num(0), t.num(1))
    (definition,) = made.definitions.values()
    return [*definition.axioms, *definition.extra], definition.name


def unsatisfiable(facts: list[Term]) -> bool:
    writer = Writer("int", 1_000_000)
    for fact in facts:
        writer.claim(fact)
    request = Request(
        Query("smtlib2", writer.script()), True, 5_000_000, {"auto_config": False, "mbqi": True}
    )
    return pool().ask([request])[0].answer.result == "unsat"


def constants(axiom: Axiom) -> dict[Term, Term]:
    return {v: t.const(f"{v.data}!c", v.sort) for v in axiom.variables}


def definition_at(axiom: Axiom, values: dict[Term, Term]) -> Term:
    return t.substitute(one_function(axiom.body), values)


@pytest.mark.parametrize("kind", ["sum", "count"])
def test_every_axiom_follows_from_the_definition(kind: str) -> None:
    axioms, name = sums(kind)
    defining = axioms[0]
    plain = [a for a in axioms if name in str(one_function(a.body))]
    assert len(plain) == len(axioms) >= 6
    for axiom in axioms:
        claim = unskolemised(one_function(axiom.body))
        fixed = constants(axiom)
        high = next(v for v in axiom.variables if v.data == "high")
        low = next(v for v in axiom.variables if v.data == "low")
        end, begin = fixed[high], fixed[low]
        goal = t.substitute(claim, fixed)
        used = _instances(axiom, defining, fixed, name)
        assert unsatisfiable([t.le(end, begin), *used, t.not_(goal)]), axiom
        shorter = t.substitute(claim, {**fixed, high: t.sub(end, t.num(1))})
        step = [t.lt(begin, end), *used, shorter, t.not_(goal)]
        assert unsatisfiable(step), axiom


def _instances(axiom: Axiom, defining: Axiom, fixed: dict[Term, Term], name: str) -> list[Term]:
    """The definition at the ranges that the axiom speaks of, and with their ends less one."""
    done: dict[Term, None] = {}
    goal = t.substitute(one_function(axiom.body), fixed)
    for term in t.subterms([goal]):
        if term.op == "app" and term.data == name:
            for less in (0, 1):
                args = [*term.args[:-1], t.sub(term.args[-1], t.num(less))]
                chosen = dict(zip(defining.variables, args, strict=True))
                done[definition_at(defining, chosen)] = None
    return list(done)


def test_an_axiom_that_is_wrong_does_not_follow() -> None:
    axioms, name = sums("sum")
    defining = axioms[0]
    variables = defining.variables
    low, high = variables[-2:]
    whole = t.app(name, variables, "Int")
    wrong = Axiom(variables, t.le(t.num(0), whole), ((whole,),))
    fixed = constants(wrong)
    goal = t.substitute(wrong.body, fixed)
    shorter = t.substitute(wrong.body, {**fixed, high: t.sub(fixed[high], t.num(1))})
    used = _instances(wrong, defining, fixed, name)
    step = [t.lt(fixed[low], fixed[high]), *used, shorter, t.not_(goal)]
    assert not unsatisfiable(step)

"""A claim as an SMT-LIB 2 query: unsatisfiable when the claim holds for every size."""

from __future__ import annotations

from dataclasses import dataclass

from certune.core import Query
from certune.tasks.collective.parametric.claims import Claim, exponents
from certune.tasks.collective.parametric.description import Parameter
from certune.tasks.collective.parametric.expression import Term, integer, name, substitute
from certune.tasks.collective.parametric.linear import Translation

_MARK = "$"  # begins every name of a description, so that none is a word of SMT-LIB


@dataclass(frozen=True)
class Translated:
    """A query and the names of the lemmas that its facts rest on."""

    query: Query
    lemmas: frozenset[str]


def translate(claim: Claim, parameters: tuple[Parameter, ...]) -> Translated:
    """The query that asks for a counterexample to `claim`.

    Raises:
        InvalidInput: the claim multiplies or divides by what it may not.
    """
    names = [parameter.name for parameter in parameters]
    names += [axis.name for axis in claim.variables]
    marked = {text: name(_MARK + text) for text in names}

    def rename(term: Term) -> Term:
        return substitute(term, marked)

    given = [
        Term(">=", (name(parameter.name), integer(parameter.least))) for parameter in parameters
    ]
    for axis in claim.variables:
        given.append(Term("<=", (integer(0), name(axis.name))))
        given.append(Term("<", (name(axis.name), axis.count)))
    given = [rename(term) for term in (*given, *claim.hypotheses)]
    goal = rename(claim.goal)
    translation = Translation(
        (_MARK + parameter.name for parameter in parameters), exponents((*given, goal))
    )
    asserted = [translation.condition(term) for term in given]
    asserted.append(f"(not {translation.condition(goal)})")
    facts = translation.finish()
    title = f"{claim.name}: {claim.says}"
    assert title.isprintable(), "a line break would end the comment"
    lines = [f"; {title}", "(set-logic QF_LIA)"]
    lines += [
        f"(declare-const {text} Int)"
        for text in (*(_MARK + n for n in names), *translation.symbols)
    ]
    lines += [f"(assert {text})" for text in (*asserted, *facts)]
    lines.append("(check-sat)")
    return Translated(
        Query("smtlib2", ("\n".join(lines) + "\n").encode()), frozenset(translation.lemmas)
    )

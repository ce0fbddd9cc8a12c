"""Pre- and postconditions as terms, against the table of `Collective`; families for each kind."""

from __future__ import annotations

import itertools

import pytest
from parametric_tools import proved, wrong_member

from certune.tasks.collective.collective import KINDS, Collective, Kind
from certune.tasks.collective.parametric.description import (
    Parameter,
    ParametricSchedule,
    Phase,
    Range,
    Sends,
)
from certune.tasks.collective.parametric.evaluate import evaluate
from certune.tasks.collective.parametric.expression import Term, integer, substitute
from certune.tasks.collective.parametric.model import model_of

COUNTS = (2, 3)


def family_of(kind: Kind) -> ParametricSchedule:
    """Ranks (a, i), chunks (u, v) or, for alltoall, (u, v, x, y); it sends nothing of use."""
    names = "uvxy" if kind == "alltoall" else "uv"
    chunks = tuple(Range(x, str(COUNTS[i % 2])) for i, x in enumerate(names))
    ranks = (Range("a", "2"), Range("i", "3"))
    sends = Sends(("a", "i"), ("0",) * len(chunks), "copy", ("a", "i"))
    reducing = kind in ("allreduce", "reduce", "reduce-scatter")
    phase = Phase("p", "1", (sends,), "true", "true" if reducing else "")
    return ParametricSchedule(
        "test", kind, (Parameter("n"),), ranks, chunks, (phase,), ("oa", "oi")
    )


def pairs(term: Term, names: str) -> set[tuple[int, int]]:
    """Ranks and chunks by number for which `term` is true."""
    found = set()
    ranges = [range(COUNTS[i % 2]) for i in range(len(names))]
    for a, i in itertools.product(range(2), range(3)):
        for values in itertools.product(*ranges):
            chunk = 0
            for at, value in enumerate(values):
                chunk = chunk * COUNTS[at % 2] + value
            if evaluate(term, {"a": a, "i": i, **dict(zip(names, values, strict=True))}):
                found.add((a * 3 + i, chunk))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_are_those_of_the_collective(kind: Kind) -> None:
    model = model_of(family_of(kind))
    collective = Collective(kind, 6, 6)
    names = "uvxy" if kind == "alltoall" else "uv"
    before, after = collective.before(), collective.after()
    assert pairs(model.before, names) == set(zip(*(c.tolist() for c in before), strict=True))
    assert pairs(model.after, names) == set(zip(*(c.tolist() for c in after), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_whose_contributions(kind: Kind) -> None:
    """At the start a sum has the rank's own one; another chunk is that of its one holder."""
    model = model_of(family_of(kind))
    collective = Collective(kind, 6, 6)
    holders = dict(zip(*(c.tolist() for c in collective.before()[::-1]), strict=True))
    names = "uvxy" if kind == "alltoall" else "uv"
    for oa, oi in itertools.product(range(2), range(3)):
        origin = oa * 3 + oi
        values = {"oa": integer(oa), "oi": integer(oi)}
        start = pairs(substitute(model.before_of, values), names)
        end = pairs(substitute(model.after_of, values), names)
        for rank, chunk in itertools.product(range(6), range(collective.chunks)):
            if collective.reducing:
                assert ((rank, chunk) in start) == (rank == origin)
                assert (rank, chunk) in end
            else:
                assert ((rank, chunk) in start) == (holders[chunk] == origin)
                assert ((rank, chunk) in end) == (holders[chunk] == origin)


def star(kind: Kind, sends: Sends, holds: str) -> ParametricSchedule:
    """Rank s + 1 and the root, one step each."""
    return ParametricSchedule(
        f"star-{kind}",
        kind,
        (Parameter("n", 2),),
        (Range("r", "n"),),
        (Range("c", "n"),),
        (Phase("star", "n - 1", (sends,), holds),),
    )


GATHER = star(
    "gather",
    Sends(("0",), ("r",), "copy", ("s + 1",), when="r == s + 1"),
    "r == c or r == 0 and c <= s",
)
SCATTER = star(
    "scatter",
    Sends(("s + 1",), ("s + 1",), "copy", ("0",), when="r == 0"),
    "r == 0 or r == c and c <= s",
)


@pytest.mark.parametrize("family", [GATHER, SCATTER], ids=lambda family: family.name)
def test_gather_and_scatter(family: ParametricSchedule) -> None:
    assert proved(family)
    assert wrong_member(family, 9) is None


@pytest.mark.parametrize("family", [GATHER, SCATTER], ids=lambda family: family.name)
def test_the_other_one_is_not_proved(family: ParametricSchedule) -> None:
    other: Kind = "scatter" if family.collective == "gather" else "gather"
    phase = family.phases[0]
    wrong = star(other, phase.sends[0], phase.holds)
    assert wrong_member(wrong, 3) is not None
    assert not proved(wrong)

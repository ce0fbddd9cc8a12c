"""Families proved for every number of ranks: obligations, and a report of several families."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from time import perf_counter

from certune.core import (
    Answer,
    Counterexample,
    InvalidInput,
    Obligation,
    Prover,
    Query,
    Status,
    Verdict,
)
from certune.core.errors import nearest
from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.parametric.claims import Claim, claims
from certune.tasks.collective.parametric.description import ParametricSchedule
from certune.tasks.collective.parametric.families import FAMILIES
from certune.tasks.collective.parametric.instances import TooLarge, member, members
from certune.tasks.collective.parametric.lemmas import lemmas
from certune.tasks.collective.parametric.model import Model, model_of
from certune.tasks.collective.parametric.search import counterexample
from certune.tasks.collective.parametric.smtlib import Translated, translate

SECONDS = 300.0
"""The default limit of wall time for all queries of a family."""

INSTANCE_RANKS = 12
"""Members with up to so many ranks are also run through the data-flow check."""

_QUERY_BYTES = 2**24  # of all queries of a family together
_SEARCHES = 8  # a counterexample is looked for to so many claims that are not proved
_MEMBERS = 64
_MEMBER_WORK = 2**25


@dataclass(frozen=True)
class Proof:
    """What was shown of one family; `queries` holds every query by its digest.

    `claims` are the lemmas and claims for every value of the parameters; `instances` is a test
    of small members by the data-flow check, which proves nothing, but must not fail.
    """

    family: ParametricSchedule
    claims: tuple[Obligation, ...]
    instances: Obligation
    seconds: float
    queries: Mapping[str, Query] = field(repr=False)

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """The claims; with the instances where one of them is wrong."""
        failed = self.instances.status is Status.REFUTED
        return (*self.claims, self.instances) if failed else self.claims

    @property
    def verdict(self) -> Verdict:
        """`proved` where every member of the family is right, `refuted` where one is wrong."""
        return Verdict(self.obligations)


def prove(
    family: ParametricSchedule, prover: Prover, *, seconds: float = SECONDS
) -> tuple[Obligation, ...]:
    """The obligations of `family`, decided by `prover` within `seconds` for all of them.

    A claim that is not proved is ``refuted`` where a small member of the family is wrong, else
    ``unknown``; its counterexample, where there is one, says where invariant, hints and
    generator do not fit together.

    Raises:
        InvalidInput: the description has no meaning, or multiplies or divides by what it may not.
        Unavailable: the prover lacks its solver.
        Crashed: the solver died.
    """
    return prove_family(family, prover, seconds=seconds).obligations


def prove_family(family: ParametricSchedule, prover: Prover, *, seconds: float = SECONDS) -> Proof:
    """The proof of one family; raises as `prove` does."""
    start = perf_counter()
    model = model_of(family)
    wanted = _translated(model)
    needed = frozenset().union(*(translated.lemmas for _, translated in wanted))
    if max(len(model.ranks), len(model.chunks)) > 1:
        needed |= {"radix"}
    instances = _instances(model, family)
    wrong = instances.status is Status.REFUTED
    searches = _SEARCHES
    queries: dict[str, Query] = {}
    found: list[Obligation] = []

    def decide(name: str, says: str, query: Query) -> Obligation:
        queries[query.digest] = query
        return _decided(name, says, query, prover, start + seconds - perf_counter())

    for lemma in lemmas(needed):
        found.append(decide(f"lemma/{lemma.name}", lemma.says, lemma.query))
    for claim, translated in wanted:
        shown = decide(claim.name, claim.says, translated.query)
        if shown.status is not Status.PROVED:
            status = Status.REFUTED if wrong else Status.UNKNOWN
            case = counterexample(claim, model.parameters) if searches > 0 else None
            searches -= 1
            shown = replace(shown, status=status, counterexample=case)
        found.append(shown)
    return Proof(family, tuple(found), instances, perf_counter() - start, queries)


def _translated(model: Model) -> list[tuple[Claim, Translated]]:
    """Every claim with its query; refused where they are too large together."""
    found: list[tuple[Claim, Translated]] = []
    left = _QUERY_BYTES
    for claim in claims(model):
        found.append((claim, translate(claim, model.parameters)))
        left -= len(found[-1][1].query.text)
        if left < 0:
            raise InvalidInput(
                f"more than {_QUERY_BYTES} bytes of queries", remedy="describe it with fewer terms"
            )
    return found


def _decided(name: str, says: str, query: Query, prover: Prover, seconds: float) -> Obligation:
    if seconds > 0:
        answer = prover.decide(query, seconds=seconds)
    else:
        answer = Answer("unknown", "none", "out of time", 0, 0.0)
    return Obligation(
        name=name,
        claim=says,
        method="smt",
        status=Status.PROVED if answer.result == "unsat" else Status.UNKNOWN,
        check="parametric",
        seconds=answer.seconds,
        evidence={
            "query": query.digest,
            "result": answer.result,
            "solver": answer.solver,
            "version": answer.version,
            "resources": answer.resources,
        },
    )


def _instances(model: Model, family: ParametricSchedule) -> Obligation:
    start = perf_counter()
    tried = 0
    found: Counterexample | None = None
    for parameters, ranks in islice(members(family, INSTANCE_RANKS), _MEMBERS):
        shown = ", ".join(f"{key} = {value}" for key, value in parameters.items())
        try:
            found = verify(member(model, family, parameters, work=_MEMBER_WORK))
        except TooLarge:
            continue
        except InvalidInput as error:
            found = Counterexample(str(error))
        tried += 1
        if found is not None:
            found = Counterexample(
                f"with {shown} ({ranks} ranks): {found.sentence}", {**found.data, **parameters}
            )
            break
    return Obligation(
        name="instances",
        claim=f"the members with 2 to {INSTANCE_RANKS} ranks pass the data-flow check",
        method="dataflow",
        status=Status.REFUTED if found else Status.TESTED if tried else Status.UNKNOWN,
        check="parametric",
        floor=Status.TESTED,
        seconds=perf_counter() - start,
        evidence={"members": tried, "family": family.digest},
        counterexample=found,
    )


def report(names: Iterable[str], prover: Prover, *, seconds: float = SECONDS) -> Iterator[Proof]:
    """Proofs of the named built-in families, one by one; of all where no name is given.

    Raises:
        InvalidInput: a name that is no family; before anything is proved.
        Unavailable, Crashed: as the prover raises.
    """
    chosen = list(names) or list(FAMILIES)
    for name in chosen:
        if name not in FAMILIES:
            raise InvalidInput(
                f"no family {name!r}", place="family", remedy=nearest(name, FAMILIES)
            )
    return (prove_family(FAMILIES[name], prover, seconds=seconds) for name in chosen)

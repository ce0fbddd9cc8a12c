"""What an unsatisfiable query says about schedules, as a bound that can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from certune.core import Answer, Bound, Json, Metric, NotRepeatable, Prover, Query
from certune.tasks.collective.solvers.cnf import TooLarge
from certune.tasks.collective.solvers.problem import DUALS, Problem
from certune.tasks.collective.solvers.sccl import ENCODING, encode

CHECK = "sccl-infeasible"
ROUNDS = Metric("rounds", "rounds", "lower")

_LARGEST = 20_000_000
"""Chunks a rank times squared ranks times links times steps that a re-check will encode."""

_CLAUSES = 10_000_000
"""Clauses that a re-check will make: a gigabyte and a half, some ten seconds."""

_CUT = {
    "allgather": "each rank's data",
    "reduce-scatter": "what each rank gets",
    "gather": "each rank's data",
    "scatter": "what each rank gets",
    "broadcast": "the data",
    "reduce": "the data",
    "alltoall": "what each rank has for each other",
}


def plural(count: int, word: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def question(
    problem: Problem, chunks: int, steps: int, rounds: int, most: int | None = None
) -> Query:
    """The query whose unsatisfiability is the evidence; a reduction asks about its dual.

    Raises:
        TooLarge: it has more than `most` clauses.
    """
    direct = problem.dual if problem.kind in DUALS else problem
    return encode(direct.instance(chunks, steps, rounds), most).query


def bound(
    problem: Problem, chunks: int, steps: int, rounds: int, query: Query, answer: Answer
) -> Bound:
    """The bound that an unsatisfiable `question` proves.

    It speaks of schedules of exactly `chunks` chunks a rank (`chunks_per_rank`) and `steps`
    steps, and of rounds as `cost.rounds` counts them, in whole numbers. For a reduction the
    query is about the dual: the sends of a right reduction that some final sum depends on, run
    backwards, are a right schedule of the dual with loads no greater and as many steps.
    """
    claim = (
        f"no {problem.kind} on {problem.topology.name} that cuts {_CUT[problem.kind]} into "
        f"{plural(chunks, 'chunk')} finishes in {plural(steps, 'step')} and "
        f"{plural(rounds, 'round')} or fewer (a round passes one chunk per "
        f"{float(problem.unit):g} GB/s)"
    )
    return Bound(
        name=f"synthesis-{chunks}-{steps}-{rounds}",
        metric=ROUNDS,
        value=Fraction(rounds + 1),
        kind="proven",
        claim=claim,
        check=CHECK,
        evidence={
            "chunks": chunks,
            "steps": steps,
            "rounds": rounds,
            "encoding": ENCODING,
            "query": query.digest,
            "solver": answer.solver,
            "version": answer.version,
            "conflicts": answer.resources,
        },
        scope={"chunks": Fraction(chunks), "steps": Fraction(steps)},
    )


def recheck_infeasible(
    problem: Problem, claimed: Bound, prover: Prover, *, seconds: float = 600.0
) -> bool:
    """Make the query of `claimed` anew from the problem and have it solved again.

    False where the claim is not the one that its numbers stand for, where the query is another
    one than the evidence names, or where the query has a model.

    Raises:
        NotRepeatable: made by another version of the encoding, too large, or not decided in
            `seconds`.
        Unavailable, Crashed: as `Prover.decide`.
    """
    numbers = _numbers(claimed.evidence)
    if numbers is None or problem.kind not in _CUT:
        return False
    chunks, steps, rounds = numbers
    encoding = claimed.evidence.get("encoding")
    if encoding != ENCODING:
        raise NotRepeatable(f"the query was made by version {encoding!r:.40} of the encoding")
    size = chunks * problem.topology.ranks**2 * len(problem.links) * steps
    if max(size, chunks * rounds * steps) > _LARGEST:
        raise NotRepeatable(f"a query about {chunks} chunks in {steps} steps is too large")
    try:
        query = question(problem, chunks, steps, rounds, _CLAUSES)
    except TooLarge as error:
        raise NotRepeatable(f"a query about {chunks} chunks in {steps} steps: {error}") from None
    asked = bound(problem, chunks, steps, rounds, query, _claimed_answer(claimed.evidence))
    if query.digest != claimed.evidence.get("query") or asked != replace(
        claimed, evidence=dict(claimed.evidence), scope=dict(claimed.scope)
    ):
        return False
    answer = prover.decide(query, seconds=seconds)
    if answer.result == "unknown":
        raise NotRepeatable(f"{answer.solver} did not decide the query in {answer.seconds:.0f} s")
    return answer.result == "unsat"


def _numbers(evidence: Mapping[str, Json]) -> tuple[int, int, int] | None:
    values = [evidence.get(name) for name in ("chunks", "steps", "rounds")]
    whole = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
    if len(whole) != 3 or not all(1 <= value <= 4096 for value in whole):
        return None
    return whole[0], whole[1], whole[2]


def _claimed_answer(evidence: Mapping[str, Json]) -> Answer:
    """Who is said to have answered; not part of what is repeated."""
    solver, version = evidence.get("solver"), evidence.get("version")
    conflicts = evidence.get("conflicts")
    return Answer(
        "unsat",
        solver if isinstance(solver, str) else "",
        version if isinstance(version, str) else "",
        conflicts if isinstance(conflicts, int) and not isinstance(conflicts, bool) else -1,
        0.0,
    )

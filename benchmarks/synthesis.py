"""Figures of schedule synthesis.

``python benchmarks/synthesis.py`` asks the queries below of the default solver, then runs the
whole exact search for each collective on the DGX-1, then the greedy search. Options:
``queries``, ``frontiers``, ``greedy`` (one or more of them), ``--solvers a,b,…`` (solvers of
python-sat to compare on the queries), ``--hard`` (adds queries that take minutes).

CPU seconds include the solver's process; wall seconds depend on what else the machine does.
Every schedule is verified by data-flow before its row is printed.
"""

from __future__ import annotations

import argparse
import resource
import sys
from dataclasses import replace
from time import perf_counter

from certune.core import Answer, Bound, Context, Payload, Query
from certune.tasks.collective import cost
from certune.tasks.collective.bounds import bandwidth_bound
from certune.tasks.collective.collective import KINDS, Kind
from certune.tasks.collective.dataflow import links_exist, verify
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import Schedule, parse_schedule
from certune.tasks.collective.solvers.exact import ExactSynthesis
from certune.tasks.collective.solvers.greedy import GreedySynthesis
from certune.tasks.collective.solvers.problem import Problem, chunks_per_rank
from certune.tasks.collective.solvers.sccl import encode
from certune.tasks.collective.topology import Topology
from certune.verifier.sat import SOLVER, SatProver

DGX1 = build("dgx1")
TORUS = build("torus2d", {"rows": "4", "columns": "4"})
CUBE = build("hypercube", {"dimensions": "4"})

QUERIES: tuple[tuple[Topology, Kind, int, int, int], ...] = (
    (DGX1, "allgather", 1, 2, 2),
    (DGX1, "allgather", 2, 2, 3),
    (DGX1, "allgather", 3, 2, 4),
    (DGX1, "allgather", 4, 2, 5),
    (DGX1, "allgather", 5, 2, 7),
    (DGX1, "allgather", 6, 2, 8),
    (DGX1, "allgather", 6, 3, 7),
    (DGX1, "broadcast", 6, 2, 3),
    (DGX1, "broadcast", 6, 3, 3),
    (DGX1, "broadcast", 18, 5, 5),
    (DGX1, "gather", 6, 3, 7),
    (DGX1, "scatter", 6, 3, 7),
    (DGX1, "alltoall", 1, 2, 3),
    (DGX1, "alltoall", 3, 2, 7),
    (DGX1, "alltoall", 3, 2, 8),
    (TORUS, "allgather", 1, 4, 4),
    (TORUS, "allgather", 1, 4, 3),
    (CUBE, "allgather", 1, 4, 4),
    (CUBE, "allgather", 1, 4, 3),
)
HARD: tuple[tuple[Topology, Kind, int, int, int], ...] = (
    (CUBE, "allgather", 4, 4, 15),
    (TORUS, "allgather", 4, 4, 15),
)
LARGE: tuple[tuple[str, dict[str, str], Kind], ...] = (
    ("torus2d", {"rows": "8", "columns": "8"}, "allgather"),
    ("torus2d", {"rows": "16", "columns": "16"}, "allgather"),
    ("mesh2d", {"rows": "8", "columns": "8"}, "reduce-scatter"),
    ("torus2d", {"rows": "8", "columns": "8"}, "alltoall"),
    ("hypercube", {"dimensions": "6"}, "allreduce"),
    ("nvswitch-nodes", {"nodes": "4", "gpus": "8", "nics": "4"}, "allgather"),
    ("fat-tree", {"leaves": "8", "ranks-per-leaf": "8"}, "alltoall"),
)


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


class Counting(SatProver):
    """The prover, counting what it is asked."""

    asked = 0

    def decide(self, query: Query, *, seconds: float) -> Answer:
        """As the prover does."""
        Counting.asked += 1
        return super().decide(query, seconds=seconds)


def checked(schedule: Schedule, topology: Topology) -> Schedule:
    if verify(schedule) is not None or links_exist(schedule, topology) is not None:
        sys.exit("a schedule that was found is wrong")
    return schedule


def queries(solvers: list[str], hard: bool) -> None:
    row = "{:22}{:11}{:>3}{:>3}{:>4}  {:12}{:8}{:>8}{:>9}{:>10}{:>9}{:>9}"
    print(
        row.format(
            *("topology", "collective", "C", "S", "R", "solver", "answer", "sends", "clauses"),
            *("conflicts", "CPU s", "wall s"),
        )
    )
    totals = dict.fromkeys(solvers, 0.0)
    for topology, kind, chunks, steps, rounds in (*QUERIES, *(HARD if hard else ())):
        problem = Problem(kind, topology)
        for solver in solvers:
            used, start = cpu_seconds(), perf_counter()
            encoding = encode(problem.instance(chunks, steps, rounds))
            answer = SatProver(solver=solver).decide(encoding.query, seconds=600)
            if answer.model is not None:
                checked(problem.schedule(chunks, encoding.decode(answer.model)), topology)
            spent = cpu_seconds() - used
            totals[solver] += spent
            clauses = int(encoding.query.text.split(None, 4)[3])
            cells = (len(encoding.sends), clauses, answer.resources)
            times = (f"{spent:.2f}", f"{perf_counter() - start:.2f}")
            names = (topology.name, kind, chunks, steps, rounds, solver, answer.result)
            print(row.format(*names, *cells, *times), flush=True)
    for solver, total in totals.items():
        print(f"{solver}: {total:.1f} s of CPU for all queries")


def frontiers() -> None:
    row = "{:15}{:34}{:>9}{:>12}{:>9}{:>9}{:>9}"
    print(row.format("DGX-1", "(C, S, R) found", "queries", "infeasible", "met", "CPU s", "wall s"))
    for kind in KINDS:
        problem = Problem(kind, DGX1)
        bound = bandwidth_bound(problem.direct.kind, problem.direct.topology).value
        used, start = cpu_seconds(), perf_counter()
        Counting.asked = 0
        found, refuted, best = [], 0, None
        for item in ExactSynthesis(problem, bound).solve(Context(prover=Counting())):
            if isinstance(item, Bound):
                refuted += 1
            elif isinstance(item, Payload):
                schedule = checked(parse_schedule(item.data), DGX1)
                rounds = cost.rounds(schedule, DGX1)
                found.append((chunks_per_rank(schedule.collective), schedule.steps, rounds))
                best = cost.bandwidth(schedule, DGX1)
        met = "yes" if best == bandwidth_bound(kind, DGX1).value else "no"
        spent, wall = cpu_seconds() - used, perf_counter() - start
        shown = " ".join(f"{c},{s},{r}" for c, s, r in found)
        times = (f"{spent:.1f}", f"{wall:.1f}")
        print(row.format(kind, shown, Counting.asked, refuted, met, *times), flush=True)


def greedy() -> None:
    row = "{:24}{:16}{:>8}{:>7}{:>9}{:>10}{:>9}{:>9}"
    head = ("topology", "collective", "C", "S", "R", "of bound", "CPU s", "wall s")
    print(row.format(*head))
    for name, parameters, kind in LARGE:
        problem = Problem(kind, build(name, parameters))
        topology = problem.topology
        bound = bandwidth_bound(kind, topology).value
        used, start = cpu_seconds(), perf_counter()
        whole = replace(problem, kind="allgather") if kind == "allreduce" else problem
        solver = GreedySynthesis(problem, bandwidth_bound(whole.kind, topology).value)
        best = None
        for item in solver.solve(Context()):
            assert isinstance(item, Payload)
            best = checked(parse_schedule(item.data), topology)
        if best is None:
            continue
        share = f"{float(cost.bandwidth(best, topology) / bound):.1%}"
        numbers = (chunks_per_rank(best.collective), best.steps, cost.rounds(best, topology))
        times = (f"{cpu_seconds() - used:.1f}", f"{perf_counter() - start:.1f}")
        print(row.format(topology.name, kind, *numbers, share, *times), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["queries", "frontiers", "greedy"])
    parser.add_argument("--solvers", default=SOLVER)
    parser.add_argument("--hard", action="store_true")
    options = parser.parse_args()
    parts = {
        "queries": lambda: queries(options.solvers.split(","), options.hard),
        "frontiers": frontiers,
        "greedy": greedy,
    }
    for part in options.parts:
        if part not in parts:
            parser.error(f"unknown part {part!r}; known: {', '.join(parts)}")
        parts[part]()
        print()


if __name__ == "__main__":
    main()

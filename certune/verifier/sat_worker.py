"""The process in which a SAT solver runs. Started by `certune.verifier.sat`, never imported.

Usage: ``python -I sat_worker.py SOLVER CONFLICTS CPU_SECONDS MEMORY_BYTES PARENT [FOLDER ...]``
reads DIMACS on standard input and writes one line of JSON. `CONFLICTS` is -1 for no limit; each
`FOLDER` is added to the module path, so that python-sat is found wherever the parent found it.

It needs nothing of certune, so that starting it costs no more than Python and the solver.
Exit codes: 0 answered, 3 python-sat or the solver is missing, 4 out of memory, 5 the parent died.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys

MISSING, OUT_OF_MEMORY, ORPHAN = 3, 4, 5
_PR_SET_PDEATHSIG = 1


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, hard))


def _die_with(parent: int) -> None:
    """Be killed when the parent dies (Linux); elsewhere the limit on CPU time ends us."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(ORPHAN)


def _clauses(text: bytes) -> list[list[int]]:
    start = text.index(b"p cnf")
    numbers = map(int, text[text.index(b"\n", start) :].split())
    clauses: list[list[int]] = []
    clause: list[int] = []
    for literal in numbers:
        if literal:
            clause.append(literal)
        else:
            clauses.append(clause)
            clause = []
    return clauses


def _solve(name: str, conflicts: int) -> dict[str, object]:
    from pysat.solvers import NoSuchSolverError, Solver

    clauses = _clauses(sys.stdin.buffer.read())
    if not all(clauses):  # solvers differ in what they make of an empty clause
        return {"result": "unsat", "conflicts": 0, "model": None}
    try:
        solver = Solver(name=name, bootstrap_with=clauses)
    except NoSuchSolverError as error:
        raise ImportError(f"no solver of this name: {error}") from None
    with solver:
        if conflicts >= 0:
            solver.conf_budget(conflicts)
            found = solver.solve_limited()
        else:
            found = solver.solve()
        result = {True: "sat", False: "unsat", None: "unknown"}[found]
        spent = (solver.accum_stats() or {}).get("conflicts", 0)
        model = solver.get_model() if found else None
    return {"result": result, "conflicts": spent, "model": model}


def main(arguments: list[str]) -> int:
    """Answer the query on standard input."""
    name, conflicts, seconds, memory, parent, *folders = arguments
    _die_with(int(parent))
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, int(seconds))
    _limit(resource.RLIMIT_AS, int(memory))
    sys.path.extend(folders)
    try:
        answer = _solve(name, int(conflicts))
    except (ImportError, NotImplementedError) as error:
        sys.stderr.write(f"{error}\n")
        return MISSING
    except MemoryError:
        return OUT_OF_MEMORY
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

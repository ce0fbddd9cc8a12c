"""Propositional queries, decided by the solvers of python-sat in a process of their own.

Nothing that a solver says is believed further than needed: a model is checked against every
clause here; that there is none rests on the solver, and `SatProver.confirm` asks another one.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from certune.core.errors import Crashed, InvalidInput, Unavailable
from certune.core.proof import Answer, Query
from certune.verifier import sat_worker
from certune.verifier.child import ask, folder_of, never

_WORKER = Path(sat_worker.__file__)

SOLVER = "cadical300"
"""The fastest on the hard queries of benchmarks/synthesis.py (figures: docs/synthesis.md)."""

SECOND = "glucose4"
"""Of another lineage than `SOLVER` (MiniSat), nearly as fast on queries without a model."""

RESOURCES = 500_000
"""Conflicts for one query: about half a minute on large queries of collective synthesis."""


@dataclass(frozen=True)
class Clauses:
    """A parsed DIMACS query: literals of all clauses in a row, and where each clause starts."""

    variables: int
    literals: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    def satisfied_by(self, model: npt.NDArray[np.int64]) -> bool:
        """Whether `model` (true literals, each variable at most once) makes each clause true."""
        value = np.zeros(self.variables + 1, dtype=np.int64)
        inside = model[(model != 0) & (np.abs(model) <= self.variables)]
        value[np.abs(inside)] = np.sign(inside)
        # A model that names a variable with both signs is none.
        if np.any(value[np.abs(inside)] != np.sign(inside)):
            return False
        if not len(self.starts):
            return True
        true = value[np.abs(self.literals)] == np.sign(self.literals)
        ends = np.append(self.starts[1:], len(self.literals))
        if np.any(ends == self.starts):  # an empty clause
            return False
        return bool(np.all(np.logical_or.reduceat(true, self.starts)))


def parse(text: bytes) -> Clauses:
    """Parse DIMACS CNF strictly.

    Raises:
        InvalidInput: no header, anything but integers, variables beyond the header's number, an
            unfinished clause, or another number of clauses than announced.
    """
    place = "DIMACS"
    body = text
    while body.startswith(b"c"):
        body = body.partition(b"\n")[2]
    header, _, body = body.partition(b"\n")
    words = header.split()
    if len(words) != 4 or words[:2] != [b"p", b"cnf"] or not words[2].isdigit():
        raise InvalidInput("no line 'p cnf VARIABLES CLAUSES'", place=place)
    try:
        variables, announced = int(words[2]), int(words[3])
        numbers = np.array(body.split()).astype(np.int64) if body.strip() else np.empty(0, int)
    except (ValueError, OverflowError):
        raise InvalidInput("something that is no integer", place=place) from None
    ends = np.flatnonzero(numbers == 0)
    if len(ends) != announced:
        message = f"{len(ends)} clauses where {announced} are announced"
        raise InvalidInput(message, place=place)
    if len(numbers) and numbers[-1] != 0:
        raise InvalidInput("the last clause is not finished", place=place, remedy="end it by 0")
    if len(numbers) and int(np.max(np.abs(numbers))) > variables:
        raise InvalidInput(f"a variable beyond {variables}", place=place)
    # The zeros are dropped: i of them lie before clause i.
    starts = np.concatenate(([0], ends[:-1] + 1)) - np.arange(len(ends)) if len(ends) else ends
    return Clauses(variables, numbers[numbers != 0], starts)


def _folders() -> list[str]:
    """The folders in which this process would find python-sat; the worker looks there too."""
    folders = [folder_of(module) for module in ("pysat", "pysolvers")]
    found = [folder for folder in folders if folder is not None]
    if len(found) != len(folders):
        raise Unavailable("python-sat is not installed; run: pip install python-sat")
    return list(dict.fromkeys(found))


def _version() -> str:
    try:
        return f"python-sat {importlib.metadata.version('python-sat')}"
    except importlib.metadata.PackageNotFoundError:
        return "python-sat"


@dataclass(frozen=True)
class SatProver:
    """Decides DIMACS queries by `solver`, a name that python-sat knows.

    The solver has fixed options and no random seed of ours: the same query, solver and version
    lead to the same answer after the same number of conflicts. `resources` limits the conflicts
    of one query, None is no limit; unlike time, that limit is reached at the same point
    everywhere. `memory` limits the address space of the solver's process, in bytes. `stopped`
    is asked ten times a second; once it says True the answer is ``unknown``.
    """

    solver: str = SOLVER
    second: str = SECOND
    resources: int | None = RESOURCES
    memory: int = 8 * 2**30
    stopped: Callable[[], bool] = never

    def decide(self, query: Query, *, seconds: float) -> Answer:
        """Decide `query` within `seconds` of wall time.

        Running out of time or resources, or being stopped, is the answer ``unknown``.

        Raises:
            InvalidInput: the query is not DIMACS.
            Unavailable: python-sat, or this solver in it, is not installed; or the query is in
                another language.
            Crashed: the solver died, ran out of memory, or gave a model that is none.
        """
        return self._decide(self.solver, query, seconds)

    def confirm(self, query: Query, *, seconds: float) -> Answer:
        """Decide `query` anew by the second solver, without a limit on its resources.

        Raises:
            InvalidInput, Unavailable, Crashed: as `decide`.
        """
        return replace(self, resources=None)._decide(self.second, query, seconds)

    def _decide(self, solver: str, query: Query, seconds: float) -> Answer:
        if query.language != "dimacs":
            raise Unavailable(f"{solver} does not read {query.language}")
        clauses = parse(query.text)
        conflicts = -1 if self.resources is None else self.resources
        cpu = math.ceil(max(seconds, 1) + 5)  # ends the worker should this process die first
        numbers = (conflicts, cpu, self.memory, os.getpid())
        arguments = (solver, *map(str, numbers), *_folders())
        start = perf_counter()
        ended = ask(_WORKER, arguments, query.text, seconds=seconds, stopped=self.stopped)
        spent = perf_counter() - start
        if ended is None or ended.code == -signal.SIGXCPU:
            return Answer("unknown", solver, _version(), 0, spent)
        _raise_unless_answered(solver, ended.code, ended.errors)
        return _read(solver, clauses, ended.output, spent)


def _read(solver: str, clauses: Clauses, output: bytes, seconds: float) -> Answer:
    try:
        said = json.loads(output)
        result, conflicts, model = said["result"], int(said["conflicts"]), said["model"]
        literals = np.array(model if model is not None else (), dtype=np.int64)
        if result not in ("sat", "unsat", "unknown") or literals.ndim != 1:
            raise ValueError(result)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise Crashed(f"{solver} gave no answer: {output[:80]!r}") from None
    if result != "sat":
        return Answer(result, solver, _version(), conflicts, seconds)
    if not clauses.satisfied_by(literals):
        raise Crashed(f"{solver} gave a model that breaks a clause; do not trust it here")
    return Answer(result, solver, _version(), conflicts, seconds, tuple(literals.tolist()))


def _raise_unless_answered(solver: str, code: int, complaint: str) -> None:
    last = complaint.strip().splitlines()[-1:] or [""]
    if code == sat_worker.MISSING:
        raise Unavailable(f"python-sat has no working {solver}: {last[0]}")
    if code == sat_worker.OUT_OF_MEMORY:
        raise Crashed(f"{solver} ran out of the memory that it is allowed")
    if code:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise Crashed(f"{solver} died by {how}: {last[0]}")

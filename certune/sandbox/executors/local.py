"""The executor of one machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from certune.sandbox.executors.child import Child
from certune.sandbox.executors.model import Loss, Node, Placed, Work
from certune.sandbox.executors.perform import free_cpus
from certune.sandbox.executors.plan import Seat, plan
from certune.sandbox.executors.pool import Pool, Validator
from certune.sandbox.machine import Facts, MachineReport, facts, validate

T = TypeVar("T")

_HERE = "local"


def validate_cpu(cpu: int, *, folder: Path | None = None) -> MachineReport:
    """Validate the machine that this runs on, for measuring on `cpu`.

    All CPUs that the executor may use are looked at, not those alone that this work is pinned to.
    """
    return validate(cpu=cpu, cpus=free_cpus(), folder=folder)


def machine_label(found: Facts) -> str:
    """The label of a kind of machine: its CPU's name and how many cores, as in a URL."""
    words = re.sub(r"[^a-z0-9]+", "-", found.cpu.lower()).strip("-")
    return f"machine:{words}-{len(found.cores)}"


class LocalExecutor:
    """Work on this machine: measurements one at a time, checks and proofs beside them.

    On n cores of one package that is one measurement on the last core and n-1 checks on the
    others; a hardware sibling of a measuring core stays idle. As long as nothing was measured
    all cores check. With one core alone, checks wait while something is measured. Measurements
    of several sessions of one user wait for each other.
    """

    name = "local"

    def __init__(
        self,
        *,
        checks: int | None = None,
        cores: int = 1,
        labels: Mapping[str, float] | None = None,
        validator: Validator | None = validate_cpu,
        valid_for: float = 60.0,
        folder: Path | None = None,
    ) -> None:
        """Processes start with the first work for them.

        `checks` bounds how many checks run at once, `cores` is how many a measurement gets.
        `labels` are offered beside ``CPU`` and the kind of machine. `validator` (with the CPU
        that will measure) is asked before something is measured, and again after `valid_for`
        seconds; None measures on any machine, fit or not. `folder` holds the machine's record
        and the locks; by default the user's state folder.
        """
        found = facts()
        seats = plan(found, cores=cores, most=checks)
        offered = {"CPU": float(len(found.cores)), machine_label(found): 0.0} | dict(labels or {})
        if validator is validate_cpu and folder is not None:
            validator = partial(validate_cpu, folder=folder)
        self._pool = Pool(
            [Child(_HERE, seat, folder) for seat in seats],
            {_HERE: offered},
            validator=validator,
            valid_for=valid_for,
        )
        self.seats: tuple[Seat, ...] = seats

    def nodes(self) -> Sequence[Node]:
        """See `Executor.nodes`."""
        return self._pool.nodes()

    def losses(self) -> Sequence[Loss]:
        """See `Executor.losses`."""
        return self._pool.losses()

    def submit(self, work: Work[T]) -> Future[Placed[T]]:
        """See `Executor.submit`."""
        return self._pool.submit(work)

    def close(self) -> None:
        """See `Executor.close`."""
        self._pool.close()

    def __enter__(self) -> Self:
        """The executor itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

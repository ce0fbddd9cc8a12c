"""Obligations about a file as a whole."""

from __future__ import annotations

import time

from certune.core.candidate import File
from certune.core.obligation import Counterexample, Obligation
from certune.core.status import Status


def obligation(
    file: File, name: str, claim: str, counterexample: Counterexample | None, began: float
) -> Obligation:
    """``FILE/NAME``, proved unless there is a counterexample; `began` is of `perf_counter`."""
    return Obligation(
        name=f"{file.name}/{name}",
        claim=claim,
        method="dataflow",
        status=Status.REFUTED if counterexample else Status.PROVED,
        check=f"collective/file-{name}",
        seconds=round(time.perf_counter() - began, 6),
        counterexample=counterexample,
    )

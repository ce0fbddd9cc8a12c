"""What the tests of the verifier of annotated Python share."""

from __future__ import annotations

import atexit
import textwrap
from functools import cache
from pathlib import Path

from certune.verifier.contracts import FunctionReport, Limits, ModuleReport, verify_source
from certune.verifier.contracts.pool import Pool

DATA = Path(__file__).parent / "data" / "contracts"
QUICK = Limits(resources=400_000, attempts=2, examples=150)
HEADER = """\
from dataclasses import dataclass
from certune.contracts import (
    decreases, ensure, ghost, i8, i16, i32, i64, implies, invariant, lemma, modifies, old,
    partial, permutation, require, spec, u8, u16, u32, u64,
)
"""


@cache
def pool() -> Pool:
    """Solver workers for all tests of a process."""
    made = Pool(1, 2048, 60.0)
    atexit.register(made.close)
    return made


def source(body: str, header: str = HEADER) -> bytes:
    """A module of the given functions."""
    return (header + "\n\n" + textwrap.dedent(body).strip() + "\n").encode()


def verify(body: str, *, limits: Limits = QUICK, refute: bool = True) -> ModuleReport:
    """The report on functions given as text."""
    return verify_source(source(body), "t.py", limits=limits, pool=pool(), refute=refute)


def only(body: str, *, limits: Limits = QUICK) -> FunctionReport:
    """The report on the last function of a text, which must be readable."""
    report = verify(body, limits=limits)
    assert not report.findings, report.findings
    return report.functions[-1]

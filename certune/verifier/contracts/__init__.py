"""Annotated Python to verification conditions to Z3. The language is defined in docs/code.md."""

from certune.verifier.contracts.erase import erase
from certune.verifier.contracts.gate import GateReport, compare_program, judge
from certune.verifier.contracts.report import (
    Condition,
    Failure,
    Finding,
    FunctionReport,
    Limits,
    ModuleReport,
    Place,
    Step,
)
from certune.verifier.contracts.strip import strip
from certune.verifier.contracts.verify import verify_source

__all__ = [
    "Condition",
    "Failure",
    "Finding",
    "FunctionReport",
    "GateReport",
    "Limits",
    "ModuleReport",
    "Place",
    "Step",
    "compare_program",
    "erase",
    "judge",
    "strip",
    "verify_source",
]

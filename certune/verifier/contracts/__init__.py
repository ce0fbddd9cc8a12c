"""Annotated Python to verification conditions to Z3. The language is defined in docs/code.md."""

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
from certune.verifier.contracts.verify import verify_source

__all__ = [
    "Condition",
    "Failure",
    "Finding",
    "FunctionReport",
    "Limits",
    "ModuleReport",
    "Place",
    "Step",
    "verify_source",
]

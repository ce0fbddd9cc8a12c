"""The machine that is measured on: is it fit, what is it, and is it like its peers.

What probes and compares needs numpy and is loaded with the first use of its name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certune.sandbox.machine.description import Core, Facts, facts
    from certune.sandbox.machine.gray import Suspicion, drifted, suspects
    from certune.sandbox.machine.judgement import Tolerance, findings
    from certune.sandbox.machine.parts import Measuring, measuring
    from certune.sandbox.machine.probes import Probed, Series, probe
    from certune.sandbox.machine.report import Finding, MachineReport, State
    from certune.sandbox.machine.validation import validate

_HOMES = {
    "description": ("Core", "Facts", "facts"),
    "gray": ("Suspicion", "drifted", "suspects"),
    "judgement": ("Tolerance", "findings"),
    "parts": ("Measuring", "measuring"),
    "probes": ("Probed", "Series", "probe"),
    "report": ("Finding", "MachineReport", "State"),
    "validation": ("validate",),
}

__all__ = [
    "Core",
    "Facts",
    "Finding",
    "MachineReport",
    "Measuring",
    "Probed",
    "Series",
    "State",
    "Suspicion",
    "Tolerance",
    "drifted",
    "facts",
    "findings",
    "measuring",
    "probe",
    "suspects",
    "validate",
]


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The machine that is measured on: is it fit, what is it, and is it like its peers."""

from certune.sandbox.machine.facts import Core, Facts, facts
from certune.sandbox.machine.gray import Suspicion, drifted, suspects
from certune.sandbox.machine.judgement import Tolerance, findings
from certune.sandbox.machine.parts import Measuring, measuring
from certune.sandbox.machine.probes import Probed, Series, probe
from certune.sandbox.machine.report import Finding, MachineReport, State
from certune.sandbox.machine.validate import validate

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

"""The machine and the software that a result came from, as far as results depend on them.

No host name, user name or path is in it: certificates are made to be shown around.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from certune.core.canonical import digest
from certune.core.codec import encode
from certune.sandbox.machine.parts import Measuring, measuring
from certune.version import __version__

# Distributions that results depend on; asked for their versions, never imported for it.
_PACKAGES = ("numpy", "python-sat", "z3-solver")


@dataclass(frozen=True)
class Environment:
    """A fingerprint of machine and software.

    `cpus` counts those that this process may use. `governor` is the frequency governor of the
    first CPU and `load` the load average over a minute (runnable processes); both are None
    where the system does not tell. `isolation` is the weakest under which a candidate's programs
    ran, None where none ran; `measuring` is what only measured results depend on, None for
    others.
    """

    certune: str
    python: str
    packages: Mapping[str, str]
    machine: str
    cpu: str
    cpus: int
    system: str
    kernel: str
    distribution: str
    governor: str | None
    load: float | None
    isolation: str | None = None
    measuring: Measuring | None = None

    @cached_property
    def digest(self) -> str:
        """Digest of all but the load, which is another with every look.

        What an earlier certune did not know counts where it says something, so that
        fingerprints of before keep their digests.
        """
        data = encode(replace(self, load=None))
        assert isinstance(data, dict)
        later = ("isolation", "measuring")
        return digest({k: v for k, v in data.items() if k not in later or v is not None})


def _text(path: str, limit: int = 4096) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(limit).decode(errors="replace")
    except OSError:
        return ""


def _cpu(machine: str) -> str:
    # Only the first CPU's entry is read: the file grows with the number of CPUs.
    text = _text("/proc/cpuinfo")
    found = re.search(r"^(?:model name|cpu model|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    if found:
        return " ".join(found[1].split())
    # Arm names its CPUs by number.
    parts = re.findall(r"^CPU (implementer|part|variant)\s*:\s*(\S+)$", text, re.MULTILINE)
    named = dict(reversed(parts))
    return " ".join([machine, *(f"{key} {named[key]}" for key in sorted(named))])


def _distribution() -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', _text("/etc/os-release"), re.MULTILINE)
    return found[1] if found else "unknown"


def _packages() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def fingerprint(*, isolation: str | None = None, measured: bool = False) -> Environment:
    """The environment of this process, now. Takes milliseconds and imports nothing heavy.

    `isolation` is the level that a candidate's programs ran under; `measured` adds what measured
    results depend on, and imports numpy for it.
    """
    system = os.uname()
    try:
        load: float | None = round(os.getloadavg()[0], 2)
    except OSError:
        load = None
    implementation = sys.implementation
    return Environment(
        certune=__version__,
        python=f"{implementation.name} {'.'.join(map(str, sys.version_info[:3]))}",
        packages=_packages(),
        machine=system.machine,
        cpu=_cpu(system.machine),
        cpus=len(os.sched_getaffinity(0)),
        system=system.sysname,
        kernel=system.release,
        distribution=_distribution(),
        governor=_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip() or None,
        load=load,
        isolation=isolation,
        measuring=measuring() if measured else None,
    )

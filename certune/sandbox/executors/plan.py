"""Which cores measure and which check, so that nothing disturbs a measurement."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from certune.sandbox.machine import Core, Facts


@dataclass(frozen=True)
class Seat:
    """CPUs on which one work at a time is done.

    A seat that measures has cores of its own; its hardware siblings stay idle. `spare` seats
    check on the cores of a measuring one, and only while nothing is measured. `domain` is that
    of the cores' memory.
    """

    cpus: tuple[int, ...]
    measures: bool
    spare: bool
    domain: int


def plan(found: Facts, *, cores: int = 1, most: int | None = None) -> tuple[Seat, ...]:
    """The seats of a machine, those that measure first.

    One seat in each memory domain measures, on `cores` cores (fewer where the domain has not
    as many): two kernels that share a last-level cache or memory controllers disturb each other
    however far apart their cores are. Every other core checks. `most` limits the checking seats.
    """
    domains: dict[int, list[Core]] = defaultdict(list)
    for core in found.cores:
        domains[core.domain].append(core)
    measuring: list[Seat] = []
    checking: list[Seat] = []
    spare: list[Seat] = []
    for domain, members in sorted(domains.items()):
        # The last ones: the system's own work gathers on the first.
        keep = max(1, min(cores, len(members) - 1))
        chosen = members[-keep:]
        measuring.append(Seat(tuple(core.cpus[0] for core in chosen), True, False, domain))
        spare += [Seat(core.cpus, False, True, domain) for core in chosen]
        checking += [Seat(core.cpus, False, False, domain) for core in members[:-keep]]
    checks = (*checking, *spare)
    return (*measuring, *(checks if most is None else checks[: max(1, most)]))

"""Raise its own limits.

Tries: setrlimit and prlimit upwards for every resource, soft and hard.
Escape: a limit is higher than before.
Held by: limits, seccomp, privileges
"""

import resource

from certune.sandbox.attacks.kit import attempt

NAMES = ("AS", "DATA", "CPU", "FSIZE", "NPROC", "NOFILE", "CORE", "STACK", "MEMLOCK", "MSGQUEUE")

for name in NAMES:

    @attempt(f"raise {name}")
    def raise_(name: str = name) -> str | None:
        which = getattr(resource, f"RLIMIT_{name}", None)
        if which is None:
            which = 12  # RLIMIT_MSGQUEUE, which the module does not name
        _, hard = resource.getrlimit(which)
        if hard == resource.RLIM_INFINITY:
            if name in {"AS", "CPU", "FSIZE"}:
                return f"{name} has no limit"
            return None
        try:
            resource.setrlimit(which, (hard + 1, hard + 1))
        except ValueError as error:
            raise OSError(str(error)) from None
        return f"the hard limit {name} raised above {hard}"

"""What /sys tells and lets one change.

Tries: serial numbers, network devices, cgroups; write to cgroups and to power settings.
Escape: something identifying is read, or may be written.
Held by: landlock, namespaces
"""

import os
from pathlib import Path

from certune.sandbox.attacks.kit import attempt


@attempt("network devices")
def devices() -> str:
    names = os.listdir("/sys/class/net")
    return f"sees {len(names)} network devices"


@attempt("the machine's identity")
def identity() -> str:
    for name in ("dmi/id/product_uuid", "dmi/id/board_vendor", "block"):
        path = Path("/sys/class") / name
        found = os.listdir(path) if path.is_dir() else path.read_bytes()
        if found:
            return f"read {path}"
    raise OSError("nothing there")


@attempt("leave its control group")
def cgroup() -> str:
    for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/cpu"):
        try:
            os.close(os.open(f"{folder}/cgroup.procs", os.O_WRONLY))
        except OSError as error:
            last = error
            continue
        return "may leave its control group"
    raise last

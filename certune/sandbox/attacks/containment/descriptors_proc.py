"""Descriptors of other processes, reopened through /proc.

Tries: open /proc/PID/fd/N of a process of the judge's that holds a secret file; links of /proc.
Escape: the secret comes back.
Held by: landlock, namespaces
"""

import os
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt


@attempt("/proc/PID/fd/N")
def reopen() -> bytes:
    return Path(f"/proc/{aim['victim']}/fd/{aim['victim_fd']}").read_bytes()


@attempt("/proc/PID/root, /proc/PID/cwd")
def through_root() -> bytes:
    return Path(f"/proc/{aim['victim']}/root{aim['open_secret']}").read_bytes()


@attempt("/proc/PPID/root")
def through_parent() -> bytes:
    return Path(f"/proc/{os.getppid()}/root{aim['open_secret']}").read_bytes()

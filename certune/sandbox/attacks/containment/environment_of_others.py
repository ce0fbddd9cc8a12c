"""The environment that other processes were started with.

Tries: /proc/PID/environ of the judge, its parent, the worker's parent and a process of the judge's.
Escape: a secret variable comes back.
Held by: landlock, namespaces
"""

import os
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt

for pid in (aim["judge"], aim["victim"], os.getppid(), 1, "self"):

    @attempt(f"/proc/{pid}/environ")
    def environ(pid: int | str = pid) -> bytes:
        return Path(f"/proc/{pid}/environ").read_bytes()

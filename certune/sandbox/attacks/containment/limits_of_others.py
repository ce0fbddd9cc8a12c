"""The limits of other processes.

Tries: prlimit on a process of the judge's and on the parent: read them, lower them.
Escape: a limit of the process differs afterwards, or could be read.
Held by: seccomp, namespaces
"""

import os
import resource

from certune.sandbox.attacks.kit import aim, attempt


@attempt("lower a limit")
def lower() -> None:
    resource.prlimit(aim["victim"], resource.RLIMIT_CORE, (0, 0))
    resource.prlimit(aim["victim"], resource.RLIMIT_NOFILE, (33, 99))


@attempt("read a limit")
def read() -> str:
    return f"limits of another process: {resource.prlimit(aim['victim'], resource.RLIMIT_NOFILE)}"


@attempt("read the parent's")
def parent() -> str:
    if os.getppid() == 0:
        raise OSError("the parent is in another namespace")
    return f"limits of the parent: {resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)}"

"""Leave a core file, with whatever memory held.

Tries: raise the limit on core files, then abort.
Escape: a core file lies in a folder of the judge's, or the limit could be raised.
Held by: limits, landlock, namespaces
"""

import os
import resource

from certune.sandbox.attacks.kit import attempt


@attempt("raise the limit on core files")
def limit() -> str | None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    return f"core files of up to {hard} bytes" if hard else None


@attempt("abort")
def abort() -> None:
    os.abort()

"""Who and where it is.

Tries: the host's name, the number of the judge's processes, user and group.
Escape: the host's name is the machine's, process numbers are the machine's, or the user is
    the judge's. Not promised below namespaces.
Held by: namespaces
Promised from: 3
"""

import os

from certune.sandbox.attacks.kit import aim, attempt


@attempt("host name")
def host() -> str | None:
    return "knows the host's name" if os.uname().nodename == aim["host"] else None


@attempt("process numbers")
def numbers() -> str | None:
    if os.getppid() > 1:
        return f"process {os.getpid()} of parent {os.getppid()}: numbers of the machine"
    return None

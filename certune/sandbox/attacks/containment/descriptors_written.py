"""Write to whatever is open: forge what the keeper or the judge would read.

Tries: find every open number that was not passed and may be written; write to those that are
    pipes of the judge's, known by their kind and by what it planted.
Escape: the judge's pipe hears from it, or such a number is open at all.
Held by: descriptors
"""

import fcntl
import os
import stat

from certune.sandbox.attacks.kit import aim, attempt


@attempt("numbers that were never passed, open for writing")
def open_() -> str | None:
    found = []
    for fd in range(3, 4096):
        try:
            flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        except OSError:
            continue
        if fd not in aim["own"] and flags & os.O_ACCMODE != os.O_RDONLY:
            found.append(fd)
    return f"open for writing and never passed: {found}" if found else None


@attempt("the judge's pipe")
def write() -> None:
    # Only this one is written to: what else is open here may be anybody's.
    if aim["pipe"] in aim["own"]:
        raise OSError("the number is the worker's own")
    if not stat.S_ISFIFO(os.fstat(aim["pipe"]).st_mode):
        raise OSError("the number is something else")
    if os.fstat(aim["pipe"]).st_ino != aim["pipe_inode"]:
        raise OSError("the number is another pipe")
    os.write(aim["pipe"], aim["nonce"].encode())

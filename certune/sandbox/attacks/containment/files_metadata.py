"""What can be known of a file without opening it.

Tries: stat, access, readlink, statfs of planted files.
Escape: size or target of a planted file comes back. Landlock does not cover this.
Held by: namespaces
Promised from: 3
"""

import os

from certune.sandbox.attacks.kit import aim, attempt


@attempt("stat")
def status() -> str:
    return f"a file of the judge's has {os.stat(aim['open_secret']).st_size} bytes"


@attempt("readlink")
def target() -> bytes:
    return os.fsencode(os.readlink(aim["telling_link"]))


@attempt("access")
def access() -> str | None:
    return "it can be asked which files exist" if os.access(aim["open_secret"], os.F_OK) else None

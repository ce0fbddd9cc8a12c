"""One file larger than the limit, ignoring the signal that says so.

Tries: SIGXFSZ ignored, then write beyond the limit to any file that can be opened.
Escape: a file larger than the limit was had.
Held by: limits, landlock, namespaces
"""

import os
import signal

from certune.sandbox.attacks.kit import aim, attempt

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

for folder in [*aim["folders"], "."]:

    @attempt(f"a large file in {folder}")
    def large(folder: str = folder) -> str | None:
        name = f"{folder}/{aim['nonce']}-large"
        fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            os.ftruncate(fd, aim["limits"]["file_bytes"] * 4)
            os.pwrite(fd, b"x", aim["limits"]["file_bytes"] * 4)
        finally:
            size = os.fstat(fd).st_size
            os.unlink(name)
        if size > aim["limits"]["file_bytes"]:
            return f"a file of {size} bytes in {folder}"
        return None

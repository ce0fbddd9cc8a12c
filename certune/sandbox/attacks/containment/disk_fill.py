"""Fill the disk.

Tries: write many files of 1 MiB each to every writable folder, until refused or 64 MiB are there.
Escape: more lies there at once than the limit on a file's size allows twice over.
Held by: limits, landlock, namespaces
"""

import os

from certune.sandbox.attacks.kit import aim, attempt

ENOUGH = 64
made: list[str] = []

for folder in [*aim["folders"], "."]:

    @attempt(f"fill {folder}")
    def fill(folder: str = folder) -> str | None:
        try:
            for number in range(ENOUGH):
                name = f"{folder}/{aim['nonce']}-{number}"
                fd = os.open(name, os.O_CREAT | os.O_WRONLY, 0o666)
                made.append(name)
                try:
                    os.write(fd, bytes(2**20))
                finally:
                    os.close(fd)
        except OSError:
            if not made:
                raise
        written = sum(os.stat(name).st_size for name in made)
        for name in made:
            os.unlink(name)
        made.clear()
        if written > aim["limits"]["file_bytes"] * 2:
            return f"{written} bytes lay in {folder} at once"
        return None

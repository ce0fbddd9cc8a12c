"""Links, hard and symbolic.

Tries: link a secret into a folder of its own, then read it there; links left behind.
Escape: the secret comes back, or a link was made.
Held by: landlock, namespaces
"""

import os
from pathlib import Path

from certune.sandbox.attacks.kit import aim, attempt

for place in (aim["folder"], ".", "/tmp"):

    @attempt(f"hard link in {place}")
    def hard(place: str = place) -> bytes:
        os.link(aim["open_secret"], f"{place}/{aim['nonce']}-hard")
        return Path(f"{place}/{aim['nonce']}-hard").read_bytes()

    @attempt(f"symbolic link in {place}")
    def symbolic(place: str = place) -> bytes:
        os.symlink(aim["open_secret"], f"{place}/{aim['nonce']}-soft")
        return Path(f"{place}/{aim['nonce']}-soft").read_bytes()

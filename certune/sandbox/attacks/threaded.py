"""A module that starts a thread when it is imported, as a library with a pool does.

Preloaded by an attack: whoever locks the importing thread alone leaves this one free.
"""

from __future__ import annotations

import threading
import time

wanted: list[str] = []
found: list[bytes] = []


def _serve() -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for name in list(wanted):
            wanted.remove(name)
            try:
                with open(name, "rb") as file:
                    found.append(file.read(1000))
            except OSError as error:
                found.append(str(error).encode())
        time.sleep(0.01)


threading.Thread(target=_serve, daemon=True).start()

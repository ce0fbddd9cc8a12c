"""Entry of a worker that runs one attack of the self-test."""

from __future__ import annotations

import json
import os

from certune.sandbox.attacks import kit
from certune.sandbox.inside import status


def main(fds: tuple[int, ...]) -> None:
    """Read source and aim from `fds[0]`, report to `fds[1]`."""
    source, report = fds
    pieces = []
    while piece := os.read(source, 65536):
        pieces.append(piece)
    order = json.loads(b"".join(pieces))
    kit.begin(order["aim"], report)
    status.loaded()
    code = compile(order["source"], f"<attack {order['name']}>", "exec")
    exec(code, {"__name__": "__attack__"})  # noqa: S102 - this is the candidate
    kit.say("end")

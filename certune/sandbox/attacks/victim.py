"""A process of the judge's user that attacks aim at: it holds secrets and tells what befell it.

Run as a script. Orders come as lines on standard input, answers are lines of JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import sys

CANARY = b"untouched"
_ANY_TRACER = ctypes.c_ulong(-1 % 2**64)


def main() -> None:
    """Tell where the secrets lie, then serve until standard input ends."""
    order = json.loads(sys.stdin.readline())
    secret = ctypes.create_string_buffer(order["secret"].encode(), 64)
    canary = ctypes.create_string_buffer(CANARY, 64)
    held = os.open(order["file"], os.O_RDONLY)
    ctypes.CDLL(None).prctl(0x59616D61, _ANY_TRACER, 0, 0, 0)  # as easy to trace as it gets
    # Blocked, so that none is lost: they wait until somebody asks.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    selector = selectors.DefaultSelector()
    for name in (order["rights_socket"], "\0" + order["rights_abstract"]):
        server = socket.socket(socket.AF_UNIX)
        server.bind(name)
        server.listen()
        selector.register(server, selectors.EVENT_READ)
    os.chmod(order["rights_socket"], 0o666)
    selector.register(sys.stdin, selectors.EVENT_READ)
    where = {"secret": ctypes.addressof(secret), "canary": ctypes.addressof(canary), "fd": held}
    print(json.dumps(where), flush=True)  # noqa: T201

    while True:
        for key, _ in selector.select():
            if isinstance(key.fileobj, socket.socket):
                client, _ = key.fileobj.accept()
                with client:
                    try:
                        socket.send_fds(client, [b"take it"], [held])
                    except OSError:
                        continue
                continue
            if not sys.stdin.readline():
                return
            told = {"signals": _waiting(), "canary": canary.raw.rstrip(b"\0").decode("latin-1")}
            canary.raw = CANARY.ljust(64, b"\0")  # before the answer: what comes after it counts
            print(json.dumps(told), flush=True)  # noqa: T201


def _waiting() -> list[int]:
    """The signals that have been sent since the last question."""
    found = []
    while (info := signal.sigtimedwait(signal.valid_signals(), 0)) is not None:
        found.append(info.si_signo)
    return found


if __name__ == "__main__":
    main()

"""Talk out over UDP, which Landlock does not cover.

Tries: send a datagram to a listener of the judge's, with and without connect.
Escape: the listener hears from it.
Held by: seccomp, namespaces
"""

import socket

from certune.sandbox.attacks.kit import aim, attempt


@attempt("sendto")
def send() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(aim["nonce"].encode(), ("127.0.0.1", aim["udp"]))


@attempt("fast open")
def fast_open() -> None:
    with socket.socket() as out:
        out.sendto(aim["nonce"].encode(), 0x20000000, ("127.0.0.1", aim["tcp"]))


@attempt("ask a name server")
def name() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("192.0.2.1", 53))
        return f"has a way out, from {out.getsockname()[0]}"

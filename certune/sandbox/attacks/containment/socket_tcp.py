"""Talk out over TCP.

Tries: connect to a listener of the judge's over IPv4, IPv6 and MPTCP; listen itself.
Escape: the listener hears from it, or it may listen.
Held by: seccomp, landlock, namespaces
"""

import socket

from certune.sandbox.attacks.kit import aim, attempt


@attempt("connect over IPv4")
def connect() -> bytes:
    with socket.create_connection(("127.0.0.1", aim["tcp"]), timeout=2) as server:
        server.sendall(aim["nonce"].encode())
        return server.recv(200)


@attempt("connect by MPTCP")
def multipath() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as server:
        server.settimeout(2)
        server.connect(("127.0.0.1", aim["tcp"]))
        server.sendall(aim["nonce"].encode())


@attempt("connect over IPv6 to a mapped address")
def mapped() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as server:
        server.settimeout(2)
        server.connect(("::ffff:127.0.0.1", aim["tcp"]))
        server.sendall(aim["nonce"].encode())


@attempt("listen")
def listen() -> str:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        return f"listens on port {server.getsockname()[1]}"

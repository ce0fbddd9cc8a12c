"""Talk over an abstract socket, which has no file to be refused.

Tries: connect and send to an abstract socket of the judge's, bind one.
Escape: the judge's socket hears from it, or a name is taken.
Held by: seccomp, landlock, namespaces
"""

import socket

from certune.sandbox.attacks.kit import aim, attempt


@attempt("connect")
def connect() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.connect("\0" + aim["abstract"])
        server.sendall(aim["nonce"].encode())


@attempt("datagram over a pair")
def datagram() -> None:
    left, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.sendto(aim["nonce"].encode(), "\0" + aim["abstract_datagram"])


@attempt("bind")
def bind() -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("\0" + aim["nonce"])
        return "took an abstract name"

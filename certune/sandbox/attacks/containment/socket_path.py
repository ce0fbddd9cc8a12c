"""Talk to a server over a path socket, as to a container daemon or an agent that holds keys.

Tries: connect and send, stream and datagram, to sockets of the judge's.
Escape: the judge's socket hears from it. Landlock does not cover it.
Held by: seccomp, namespaces
"""

import socket

from certune.sandbox.attacks.kit import aim, attempt


@attempt("stream")
def stream() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.connect(aim["path_socket"])
        server.sendall(aim["nonce"].encode())


@attempt("datagram")
def datagram() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.sendto(aim["nonce"].encode(), aim["path_datagram"])


@attempt("one end of a pair, sent elsewhere")
def pair() -> None:
    left, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.sendto(aim["nonce"].encode(), aim["path_datagram"])

"""Talk over every other kind of socket.

Tries: vsock to the host, AF_ALG, bluetooth, CAN, TIPC, XDP, RDS, key, SMC, qrtr.
Escape: one could be opened.
Held by: seccomp
"""

import socket

from certune.sandbox.attacks.kit import attempt

KINDS = {
    "vsock, stream": (40, 1, 0),
    "vsock, datagram": (40, 2, 0),
    "alg": (38, 5, 0),
    "bluetooth": (31, 3, 1),
    "can": (29, 3, 1),
    "tipc": (30, 1, 0),
    "xdp": (44, 3, 0),
    "rds": (21, 5, 0),
    "key": (15, 3, 2),
    "smc": (43, 1, 0),
    "qrtr": (42, 2, 0),
    "sctp": (2, 5, 132),
    "pair": None,
}

for word, kind in KINDS.items():

    @attempt(word)
    def open_(word: str = word, kind: tuple[int, int, int] | None = kind) -> str:
        if kind is None:
            socket.socketpair()
            return "a pair of sockets"
        with socket.socket(*kind):
            return f"a socket: {word}"

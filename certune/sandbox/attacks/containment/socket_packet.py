"""Read and write the network below IP.

Tries: packet, raw and ICMP sockets.
Escape: one could be opened.
Held by: seccomp, privileges
"""

import socket

from certune.sandbox.attacks.kit import attempt

for family, kind, protocol, word in (
    (17, socket.SOCK_RAW, 0x0300, "packet, raw"),
    (17, socket.SOCK_DGRAM, 0x0300, "packet, datagram"),
    (socket.AF_INET, socket.SOCK_RAW, 1, "raw ICMP"),
    (socket.AF_INET, socket.SOCK_DGRAM, 1, "ping"),
):

    @attempt(word)
    def open_(family: int = family, kind: int = kind, protocol: int = protocol) -> str:
        with socket.socket(family, kind, protocol):
            return f"a socket of family {family}, kind {kind}"

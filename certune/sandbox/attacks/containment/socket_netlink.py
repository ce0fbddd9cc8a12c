"""Talk to the kernel over netlink: addresses, routes, audit, events.

Tries: open and bind a netlink socket of each common kind.
Escape: one could be opened.
Held by: seccomp
"""

import socket

from certune.sandbox.attacks.kit import attempt

for protocol in (0, 9, 15, 16):

    @attempt(f"netlink {protocol}")
    def netlink(protocol: int = protocol) -> str:
        with socket.socket(16, socket.SOCK_RAW, protocol) as kernel:
            kernel.bind((0, 0))
            return f"a netlink socket of protocol {protocol}"

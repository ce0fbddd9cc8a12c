"""Descriptors passed over a socket.

Tries: connect to a path socket whose server hands a secret file to whoever asks (SCM_RIGHTS).
Escape: the secret comes back.
Held by: seccomp, namespaces
"""

import os
import socket

from certune.sandbox.attacks.kit import aim, attempt


@attempt("SCM_RIGHTS from a path socket")
def path() -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.settimeout(2)
        server.connect(aim["rights_socket"])
        _, fds, _, _ = socket.recv_fds(server, 100, 1)
        return os.pread(fds[0], 200, 0)


@attempt("SCM_RIGHTS from an abstract socket")
def abstract() -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.settimeout(2)
        server.connect("\0" + aim["rights_abstract"])
        _, fds, _, _ = socket.recv_fds(server, 100, 1)
        return os.pread(fds[0], 200, 0)
